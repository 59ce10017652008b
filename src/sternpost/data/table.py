"""A resource's rows: every call of the data client that is about one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, cast, overload

from sternpost.data.rows import columns_of, model_of_document
from sternpost.data.where import Reading
from sternpost.data.writes import Parts, Writer, assignments, taken_apart, unique_key
from sternpost.data.writing import complete
from sternpost.errors import Conflict, NotFound
from sternpost.kinds import KINDS, NUMBERS
from sternpost.plan.model import FieldPlan, ResourcePlan
from sternpost.plan.query import Aggregate, Function, Measure, Modify, Operator, Remove, Select, Upsert, key_is
from sternpost.ports.storage import Arguments, Document, Reader

if TYPE_CHECKING:
    from sternpost.data.database import Database

Row = TypeVar("Row")
Where = TypeVar("Where", bound=Mapping[str, Any])
Data = TypeVar("Data", bound=Mapping[str, Any])
Changes = TypeVar("Changes", bound=Mapping[str, Any])
Order = TypeVar("Order")
Include = TypeVar("Include", bound=Mapping[str, Any])
Field = TypeVar("Field", bound=str)
Key = TypeVar("Key")
Number = TypeVar("Number", bound=str)
Values = TypeVar("Values", bound=Mapping[str, Any])
Having = TypeVar("Having", bound=Mapping[str, Any])
GroupOrder = TypeVar("GroupOrder", bound=str)
Model = TypeVar("Model")

NOTHING: Any = None
"""What is not given. It has every type, so that a checker tells of a wrong member by its name and not of a wrong union."""

_HAVING = ("eq", "ne", "gt", "gte", "lt", "lte")


@dataclass(frozen=True, slots=True)
class Group(Generic[Values]):
    """One row of `aggregate`.

    Attributes:
        by: the values that the group agrees in.
        count: how many rows it has.
        sum, min, max: by field; None where no row has a value.
        avg: by field; exact (`Decimal`) for integers and decimals, a float for floats.
    """

    by: Values
    count: int
    sum: Mapping[str, Any]
    avg: Mapping[str, Any]
    min: Mapping[str, Any]
    max: Mapping[str, Any]


class Table(
    Generic[Row, Where, Data, Changes, Order, Include, Field, Key, Number, Values, Having, GroupOrder],
):
    """The rows of one resource.

    A generated `Data` class has one for each resource, with its types; `db.table(Order)` gives one without a generated
    file. Where a call takes a `key`, that is an id, or the values of a unique key: `{"email": "ada@example.com"}`.
    """

    def __init__(self, db: Database, cls: type[Row]) -> None:
        self.db = db
        self._model = db.access.model
        found = self._model.instances.by_class.get(cls)
        if found is None:
            raise TypeError(f"{cls.__name__} is not a resource of the contract {self._model.plan.name!r}")
        self._resource: ResourcePlan = found
        self._deleted = False

    # -- reading

    @overload
    async def get(
        self, key: Key, *, include: Include = NOTHING, fields: Sequence[Field] | None = None, lock: bool = False
    ) -> Row: ...
    @overload
    async def get(self, key: Key, *, into: type[Model], lock: bool = False) -> Model: ...
    async def get(
        self,
        key: Any,
        *,
        include: Any = None,
        fields: Sequence[str] | None = None,
        into: type[Any] | None = None,
        lock: bool = False,
    ) -> Any:
        """One row. With `lock` no other transaction changes it until this one ends. Raises `NotFound`."""
        where = self._key_where(key)
        rows = await self._read(where, limit=1, include=include, fields=fields, into=into, lock=lock)
        if not rows:
            raise NotFound(f"There is no such {self._resource.name}")
        return rows[0]

    @overload
    async def find(
        self,
        where: Where = NOTHING,
        *,
        order: Sequence[Order] = (),
        limit: int | None = None,
        offset: int = 0,
        after: str | Row | None = None,
        distinct: Sequence[Field] = (),
        include: Include = NOTHING,
        fields: Sequence[Field] | None = None,
        lock: bool = False,
    ) -> list[Row]: ...
    @overload
    async def find(
        self,
        where: Where = NOTHING,
        *,
        into: type[Model],
        order: Sequence[Order] = (),
        limit: int | None = None,
        offset: int = 0,
        after: str | Row | None = None,
        distinct: Sequence[Field] = (),
    ) -> list[Model]: ...
    async def find(
        self,
        where: Any = None,
        *,
        order: Sequence[Any] = (),
        limit: int | None = None,
        offset: int = 0,
        after: Any = None,
        distinct: Sequence[str] = (),
        include: Any = None,
        fields: Sequence[str] | None = None,
        into: type[Any] | None = None,
        lock: bool = False,
    ) -> list[Any]:
        """Rows that fit `where`, in `order` (a `-` before a name for descending), then in order of creation.

        Args:
            after: an id or a row: only rows behind it in this order (keyset, so that it costs the same on every page).
            distinct: of the rows that agree in these fields, only the first.
            include: relations to read along, each one statement for all rows: `{"orders": {"limit": 5}}`.
            fields: what to read; touching another field raises `NotLoaded`.
            into: a dataclass or a Pydantic model; only its fields are read.
            lock: no other transaction changes the rows until this one ends.
        """
        return await self._read(
            where,
            order=order,
            limit=limit,
            offset=offset,
            after=after,
            distinct=distinct,
            include=include,
            fields=fields,
            into=into,
            lock=lock,
        )

    @overload
    async def first(
        self,
        where: Where = NOTHING,
        *,
        order: Sequence[Order] = (),
        include: Include = NOTHING,
        fields: Sequence[Field] | None = None,
    ) -> Row | None: ...
    @overload
    async def first(
        self, where: Where = NOTHING, *, into: type[Model], order: Sequence[Order] = ()
    ) -> Model | None: ...
    async def first(
        self,
        where: Any = None,
        *,
        order: Sequence[Any] = (),
        include: Any = None,
        fields: Sequence[str] | None = None,
        into: type[Any] | None = None,
    ) -> Any:
        """The first row that fits, or None."""
        found = await self._read(where, order=order, limit=1, include=include, fields=fields, into=into)
        return found[0] if found else None

    async def count(self, where: Where = NOTHING) -> int:
        """How many rows fit."""
        reading = self._reading()
        node = reading.where(self._resource, where)
        return await self._reader().count(Select(self._resource.name, ("id",), where=node), Arguments(reading.slots))

    async def exists(self, where: Where = NOTHING) -> bool:
        """Whether a row fits."""
        return bool(await self._read(where, limit=1, fields=("id",)))

    async def aggregate(
        self,
        *,
        by: Sequence[Field] = (),
        sum: Sequence[Number] = (),
        avg: Sequence[Number] = (),
        min: Sequence[Field] = (),
        max: Sequence[Field] = (),
        where: Where = NOTHING,
        having: Having = NOTHING,
        order: Sequence[GroupOrder] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[Group[Values]]:
        """Counts, sums, averages and extremes: of all rows that fit, or of each group that agrees in the fields `by`.

        Args:
            having: which groups to keep: `{"count": {"gte": 2}, "sum": {"total_cents": {"gt": 1000}}}`.
            order: `"-count"`, `"sum.total_cents"`, or a field of `by`; then by the fields of `by`.
        """
        reading = self._reading()
        measures = self._measures(reading, by, {"sum": sum, "avg": avg, "min": min, "max": max})
        shape = Aggregate(
            self._resource.name,
            measures,
            reading.where(self._resource, where),
            tuple(by),
            self._having(reading, having),
            tuple(self._group_order(reading, entry, by) for entry in order),
            reading.number("limit", limit),
            reading.number("offset", offset or None),
        )
        rows = await self._reader().aggregate(shape, reading.slots)
        return [cast("Group[Values]", _group(measures, row)) for row in rows]

    # -- writing

    async def create(self, data: Data, *, include: Include = NOTHING) -> Row:
        """Adds a row, with what is nested in it; what is not given gets its default.

        Raises:
            Duplicate, ReferenceNotFound, ConstraintViolated: the database refused it.
        """
        self._refuse_owned()
        async with self.db.access.writing(whole=_nests(self._resource, data)) as session:
            key = await Writer(self._model, session).create(self._resource, data)
            return await self._again(key, include)

    @overload
    async def create_many(
        self,
        rows: Sequence[Data],
        *,
        on_conflict: Literal["error", "skip"] = "error",
        returning: Literal[False] = False,
    ) -> int: ...
    @overload
    async def create_many(
        self, rows: Sequence[Data], *, on_conflict: Literal["error", "skip"] = "error", returning: Literal[True]
    ) -> list[Row]: ...
    async def create_many(
        self, rows: Sequence[Any], *, on_conflict: Literal["error", "skip"] = "error", returning: bool = False
    ) -> Any:
        """Adds rows, up to 500 with one statement; all of them, or none.

        Args:
            on_conflict: "skip" leaves out rows that break a unique rule.
            returning: whether to give the new rows instead of their number.
        """
        self._refuse_owned()
        if on_conflict not in ("error", "skip"):
            raise ValueError(f'on_conflict is "error" or "skip", not {on_conflict!r}')
        values = [self._plain_row(row) for row in rows]
        fields = tuple(self._resource.fields_by_name) if returning else ()
        async with self.db.access.writing(whole=True) as session:
            count, documents = await session.insert_rows(
                self._resource.name, values, skip=on_conflict == "skip", returning=fields
            )
        return [self._instance(document) for document in documents] if returning else count

    async def update(self, key: Key, data: Changes, *, include: Include = NOTHING) -> Row:
        """Changes a row, and what is nested in the change. `{"stock": {"decrement": 1}}` computes in the database.

        Raises:
            NotFound: there is no such row.
            Duplicate, ReferenceNotFound, ConstraintViolated: the database refused it.
        """
        self._refuse_owned()
        async with self.db.access.writing(whole=_nests(self._resource, data)) as session:
            writer = Writer(self._model, session)
            digits = await self._digits(writer, key)
            await writer.update(self._resource, digits, data)
            return await self._again(digits, include)

    async def update_many(self, where: Where, data: Changes, *, expect: int | None = None) -> int:
        """Changes every row that fits, with one statement; how many.

        Args:
            expect: how many there must be; raises `Conflict`, and nothing is changed, where there are others.
        """
        self._refuse_owned()
        reading = self._reading()
        node = reading.where(self._resource, _required(where, "update_many"))
        parts = self._plain_parts(data)
        shape = Modify(self._resource.name, node, assignments(self._model, self._resource, parts, reading))
        if not shape.assignments:
            raise TypeError("There is nothing to change: data is empty")
        async with self.db.access.writing(whole=expect is not None) as session:
            count, _ = await session.modify(shape, reading.slots)
            _expected(count, expect)
        return count

    async def upsert(self, key: Key, *, create: Data, update: Changes, include: Include = NOTHING) -> Row:
        """Changes the row with this unique key, or adds it: one statement, so that two at once are no conflict.

        `create` need not repeat the values of the key. Neither part can nest.
        """
        self._refuse_owned()
        names = self._unique(key)
        given = cast("Mapping[str, Any]", key) if isinstance(key, Mapping) else {"id": key}
        row = self._plain_row({**given, **create})
        for name in names:
            if row[name] is None:
                raise TypeError(f"{self._resource.name}.{name} is None, and no row is found by that")
        reading = self._reading()
        changes = assignments(self._model, self._resource, self._plain_parts(update), reading)
        shape = Upsert(self._resource.name, tuple(sorted(row)), names, changes, ("id",))
        async with self.db.access.writing() as session:
            document = await session.upsert(shape, row, reading.slots)
            return await self._again(self._model.instances.digits(self._resource.name, document["id"]), include)

    async def delete(self, key: Key) -> bool:
        """Removes a row, and what it owns; False where there was none. Raises `StillReferenced`."""
        self._refuse_owned()
        async with self.db.access.writing() as session:
            writer = Writer(self._model, session)
            if isinstance(key, Mapping):
                digits = await writer.find_key(self._resource, cast("Mapping[str, Any]", key))
            else:
                digits = await writer.key(self._resource, key)
            if digits is None:
                return False
            remove = Remove(self._resource.name, key_is(0))
            return await session.remove(remove, (digits,), at=self._model.clock.now()) > 0

    async def restore(self, id: str) -> Row:
        """Brings back a deleted row, with what was deleted along with it.

        Raises:
            NotFound: there is no such row, or it is not deleted.
            Duplicate: another row has one of its unique values by now.
            ReferenceNotFound: it refers to a row that is deleted.
        """
        self._refuse_owned()
        async with self.db.access.writing() as session:
            digits = self._model.instances.digits(self._resource.name, id)
            if not await session.restore(self._resource.name, digits):
                raise NotFound(f"There is no deleted {self._resource.name} {id}")
            return await self._again(digits, None)

    def with_deleted(self) -> Self:
        """The same rows and the deleted ones, for reading: `{"deleted_at": {"isNull": False}}` finds those alone."""
        found = copy(self)
        found._deleted = True
        return found

    async def delete_many(self, where: Where, *, expect: int | None = None) -> int:
        """Removes every row that fits, with one statement; how many. `{}` fits all. `expect` as in `update_many`."""
        self._refuse_owned()
        reading = self._reading()
        node = reading.where(self._resource, _required(where, "delete_many"))
        async with self.db.access.writing(whole=expect is not None) as session:
            remove = Remove(self._resource.name, node)
            count = await session.remove(remove, reading.slots, at=self._model.clock.now())
            _expected(count, expect)
        return count

    # -- parts

    def _reader(self) -> Reader:
        reader = self.db.access.reader
        return reader.with_deleted() if self._deleted else reader

    def _reading(self) -> Reading:
        return Reading(self._model.plan, self._model.checks)

    def _instance(self, document: Document) -> Row:
        return cast("Row", self._model.instances.row(self._resource, document))

    async def _read(
        self,
        where: Any,
        *,
        order: Sequence[Any] = (),
        limit: int | None = None,
        offset: int = 0,
        after: Any = None,
        distinct: Sequence[str] = (),
        include: Any = None,
        fields: Sequence[str] | None = None,
        into: type[Any] | None = None,
        lock: bool = False,
    ) -> list[Any]:
        if into is not None:
            fields = self._columns(into)
        reading = self._reading()
        query = reading.query(
            self._resource,
            where=where,
            order=order,
            include=include,
            fields=fields,
            limit=limit,
            offset=offset,
            distinct=distinct,
            lock=lock and self._in_transaction(),
        )
        reader, position = self._reader(), None
        if after is not None:
            key = after if isinstance(after, str) else getattr(after, "id", None)
            position = await reader.position(query, self._model.instances.digits(self._resource.name, key))
            if position is None:
                raise NotFound(f"There is no {self._resource.name} {key} to continue after")
            query = query.behind(position)
        documents = (await reader.select(query, Arguments(reading.slots, position=position))).documents
        if into is not None:
            return [model_of_document(into, self._resource, document) for document in documents]
        return [self._instance(document) for document in documents]

    def _in_transaction(self) -> bool:
        if self.db.access.session is None:
            raise RuntimeError("A lock ends with its transaction: read with lock=True inside db.transaction()")
        return True

    def _columns(self, model: type[Any]) -> tuple[str, ...]:
        names = columns_of(model)
        unknown = [name for name in names if name not in self._resource.fields_by_name]
        if unknown:
            raise TypeError(
                f"{model.__name__}.{unknown[0]} is no field of {self._resource.name}, "
                f"which has {', '.join(self._resource.fields_by_name)}"
            )
        return names

    def _key_where(self, key: Any) -> Mapping[str, Any]:
        if isinstance(key, Mapping):
            unique_key(self._resource, cast("Mapping[str, Any]", key), self.db.access.visibility)
            return cast("Mapping[str, Any]", key)
        return {"id": key}

    def _unique(self, key: Any) -> tuple[str, ...]:
        return (
            unique_key(self._resource, cast("Mapping[str, Any]", key), self.db.access.visibility)
            if isinstance(key, Mapping)
            else ("id",)
        )

    async def _digits(self, writer: Writer, key: Any) -> str:
        if not isinstance(key, Mapping):
            return await writer.key(self._resource, key)
        found = await writer.find_key(self._resource, cast("Mapping[str, Any]", key))
        if found is None:
            raise NotFound(f"There is no such {self._resource.name}")
        return found

    async def _again(self, digits: str, include: Any) -> Row:
        """The row as it now is."""
        reading = self._reading()
        query = reading.query(self._resource, include=include)
        session = self.db.access.session
        assert session is not None, "a write has opened a transaction"
        row = await session.get(query, digits, Arguments(reading.slots))
        if row is None:
            raise NotFound(f"There is no such {self._resource.name}")
        return self._instance(row.document)

    def _refuse_owned(self) -> None:
        if self._deleted:
            raise RuntimeError("with_deleted() is for reading: restore a row, or write through the table itself")
        if self._resource.owned_by is not None:
            raise RuntimeError(
                f"{self._resource.name} is written with its {self._resource.owned_by}: "
                f"create or update that, with the list nested in it"
            )

    def _plain_parts(self, data: Mapping[str, Any]) -> Parts:
        parts = taken_apart(self._model, self._resource, data)
        if parts.related:
            raise TypeError(f"{next(iter(parts.related))} cannot be nested here; use create or update, row by row")
        return parts

    def _plain_row(self, data: Mapping[str, Any]) -> dict[str, Any]:
        parts = self._plain_parts(data)
        if parts.changes:
            raise TypeError(f"{next(iter(parts.changes))} cannot be computed from what it is in a new row")
        return complete(self._resource, parts.values, self._model.new_id, self._model.clock)

    # -- groups

    def _measures(
        self, reading: Reading, by: Sequence[str], wanted: Mapping[Function, Sequence[str]]
    ) -> tuple[Measure, ...]:
        measures = [Measure("count"), *(Measure("by", reading.field(self._resource, name).name) for name in by)]
        for function, names in wanted.items():
            measures += [self._measure(reading, function, name) for name in names]
        return tuple(dict.fromkeys(measures))

    def _measure(self, reading: Reading, function: Function, name: str) -> Measure:
        field = reading.field(self._resource, name)
        fits = field.kind in NUMBERS if function in ("sum", "avg") else KINDS[field.kind].extremes
        if not fits:
            raise TypeError(f"{self._resource.name}.{name} is of the kind {field.kind}, which has no {function}")
        return Measure(function, name)

    def _having(self, reading: Reading, having: Mapping[str, Any] | None) -> tuple[tuple[Measure, Operator, int], ...]:
        found: list[tuple[Measure, Operator, int]] = []
        for function, wanted in (having or {}).items():
            if function == "count":
                found += self._having_tests(reading, Measure("count"), None, wanted)
            elif function in ("sum", "avg", "min", "max"):
                for name, tests in wanted.items():
                    measure = self._measure(reading, cast("Function", function), name)
                    found += self._having_tests(reading, measure, self._resource.fields_by_name[name], tests)
            else:
                raise TypeError(f"having takes count, sum, avg, min and max, not {function!r}")
        return tuple(found)

    def _having_tests(
        self, reading: Reading, measure: Measure, field: FieldPlan | None, tests: Any
    ) -> list[tuple[Measure, Operator, int]]:
        wanted: Mapping[str, Any] = cast("Mapping[str, Any]", tests) if isinstance(tests, Mapping) else {"eq": tests}
        found: list[tuple[Measure, Operator, int]] = []
        for operator, value in wanted.items():
            if operator not in _HAVING:
                raise TypeError(f"having has no operator {operator!r}; it has {', '.join(_HAVING)}")
            if measure.function in ("count", "avg") and (
                isinstance(value, bool) or not isinstance(value, int if field is None else (int, float, Decimal))
            ):
                raise TypeError(f"having compares {measure.function} with a number, not with {value!r}")
            if field is not None and measure.function != "avg":
                value = self._model.checks.stored(self._resource, field, value)
            found.append((measure, cast("Operator", operator), reading.slot(value)))
        return found

    def _group_order(self, reading: Reading, entry: str, by: Sequence[str]) -> tuple[Measure, bool]:
        function, _, name = entry.removeprefix("-").partition(".")
        if function == "count" and not name:
            measure = Measure("count")
        elif name and function in ("sum", "avg", "min", "max"):
            measure = self._measure(reading, cast("Function", function), name)
        elif not name and function in by:
            measure = Measure("by", function)
        else:
            raise TypeError(
                f'Groups are ordered by "count", by a field of by, or by such as "sum.total", not {entry!r}'
            )
        return measure, entry.startswith("-")


def _group(measures: Sequence[Measure], row: Sequence[Any]) -> Group[Any]:
    parts: dict[str, dict[str, Any]] = {"by": {}, "sum": {}, "avg": {}, "min": {}, "max": {}}
    count = 0
    for measure, value in zip(measures, row, strict=True):
        if measure.function == "count":
            count = value
        else:
            parts[measure.function][measure.field] = value
    return Group(parts["by"], count, parts["sum"], parts["avg"], parts["min"], parts["max"])


def _nests(resource: ResourcePlan, data: Mapping[str, Any]) -> bool:
    return any(name in resource.relations_by_name for name in data)


def _required(where: Any, call: str) -> Any:
    if where is None:
        raise TypeError(f"{call} needs a where; {{}} fits every row")
    return where


def _expected(count: int, expect: int | None) -> None:
    if expect is not None and count != expect:
        raise Conflict(f"{count} rows fit, and {expect} were expected: nothing was changed")


Repository = Table[Row, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any]
"""The rows of a resource without the types of a generated file, as `ctx.repository(Order)` gives them: `Repository[Order]`."""

"""A resource's rows: every call of the data client that is about one table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Any, Generic, Literal, Self, TypeVar, cast, overload

from sternpost.data.access import HasAccess
from sternpost.data.groups import Group, GroupReading, group_of
from sternpost.data.model import DataModel
from sternpost.data.row_reader import RowReader
from sternpost.data.writes import Parts, Writer, assignments, taken_apart, unique_key
from sternpost.data.writing import complete
from sternpost.errors import Conflict, NotFound
from sternpost.kinds import without_case
from sternpost.plan.model import FieldPlan, ResourcePlan
from sternpost.plan.query import Modify, Remove, Select, Upsert, key_is
from sternpost.ports.storage import Arguments

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
"""What is not given. It has every type, so that a checker tells of a wrong member by its name and not of a wrong union.
"""


class Table(
    Generic[Row, Where, Data, Changes, Order, Include, Field, Key, Number, Values, Having, GroupOrder],
):
    """The rows of one resource.

    A generated `Data` class has one for each resource, with its types; `db.table(Order)` gives one without a generated
    file. Where a call takes a `key`, that is an id, or the values of a unique key: `{"email": "ada@example.com"}`.
    """

    def __init__(self, db: HasAccess, cls: type[Row]) -> None:
        self._access = db.access
        self._model = db.access.model
        found = self._model.instances.by_class.get(cls)
        if found is None:
            raise TypeError(f"{cls.__name__} is not a resource of the contract {self._model.plan.name!r}")
        self._resource: ResourcePlan = found
        self._deleted = False
        self._rows = RowReader(db.access, found)

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
        where = self._rows.key_where(key)
        rows = await self._rows.read(where, limit=1, include=include, fields=fields, into=into, lock=lock)
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
        """Rows that fit `where`, in `order` (a `-` before a name for descending).

        Rows that are equal in it follow in the order of creation; after a descending last entry, the other way round.

        Args:
            after: an id or a row: only rows behind it in this order (keyset, so that it costs the same on every page).
            distinct: of the rows that agree in these fields, only the first.
            include: relations to read along, each one statement for all rows: `{"orders": {"limit": 5}}`.
            fields: what to read; touching another field raises `NotLoaded`.
            into: a dataclass or a Pydantic model; only its fields are read.
            lock: no other transaction changes the rows until this one ends.
        """
        return await self._rows.read(
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
        found = await self._rows.read(where, order=order, limit=1, include=include, fields=fields, into=into)
        return found[0] if found else None

    async def count(self, where: Where = NOTHING) -> int:
        """How many rows fit."""
        reading = self._rows.reading()
        node = reading.where(self._resource, where)
        return await self._rows.reader.count(Select(self._resource.name, ("id",), where=node), Arguments(reading.slots))

    async def exists(self, where: Where = NOTHING) -> bool:
        """Whether a row fits."""
        return bool(await self._rows.read(where, limit=1, fields=("id",)))

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
        groups = GroupReading(self._rows.reading(), self._resource)
        query = groups.query(
            by=by,
            measures={"sum": sum, "avg": avg, "min": min, "max": max},
            where=where,
            having=having,
            order=order,
            limit=limit,
            offset=offset,
        )
        rows = await self._rows.reader.aggregate(query, groups.reading.slots)
        return [cast("Group[Values]", group_of(query.measures, row)) for row in rows]

    # -- writing

    async def create(self, data: Data, *, include: Include = NOTHING) -> Row:
        """Adds a row, with what is nested in it; what is not given gets its default.

        Raises:
            Duplicate, ReferenceNotFound, ConstraintViolated: the database refused it.
        """
        self._refuse_owned()
        async with self._access.writing(whole=_nests(self._resource, data)) as session:
            key = await Writer(self._model, session).create(self._resource, data)
            return await self._rows.again(key, include)

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
        values = [_plain_row(self._model, self._resource, row) for row in rows]
        fields = tuple(self._resource.fields_by_name) if returning else ()
        async with self._access.writing(whole=True) as session:
            count, documents = await session.insert_rows(
                self._resource.name, values, skip=on_conflict == "skip", returning=fields
            )
        return [self._rows.instance(document) for document in documents] if returning else count

    async def update(self, key: Key, data: Changes, *, include: Include = NOTHING) -> Row:
        """Changes a row, and what is nested in the change. `{"stock": {"decrement": 1}}` computes in the database.

        Raises:
            NotFound: there is no such row.
            Duplicate, ReferenceNotFound, ConstraintViolated: the database refused it.
        """
        self._refuse_owned()
        async with self._access.writing(whole=_nests(self._resource, data)) as session:
            writer = Writer(self._model, session)
            digits = await self._digits(writer, key)
            await writer.update(self._resource, digits, data)
            return await self._rows.again(digits, include)

    async def update_many(self, where: Where, data: Changes, *, expect: int | None = None) -> int:
        """Changes every row that fits, with one statement; how many.

        Args:
            expect: how many there must be; raises `Conflict`, and nothing is changed, where there are others.
        """
        self._refuse_owned()
        reading = self._rows.reading()
        node = reading.where(self._resource, _required(where, "update_many"))
        parts = _plain_parts(self._model, self._resource, data)
        shape = Modify(self._resource.name, node, assignments(self._model, self._resource, parts, reading))
        if not shape.assignments:
            raise TypeError("There is nothing to change: data is empty")
        async with self._access.writing(whole=expect is not None) as session:
            count, _ = await session.modify(shape, reading.slots)
            _expected(count, expect)
        return count

    async def upsert(self, key: Key, *, create: Data, update: Changes, include: Include = NOTHING) -> Row:
        """Changes the row with this unique key, or adds it: one statement, so that two at once are no conflict.

        `create` need not repeat the values of the key. Neither part can nest.

        Raises:
            TypeError: `create` has another value for the key, which would be a second row.
        """
        self._refuse_owned()
        names = self._unique(key)
        given = cast("Mapping[str, Any]", key) if isinstance(key, Mapping) else {"id": key}
        row = _plain_row(self._model, self._resource, {**given, **create})
        _refuse_other_key(self._resource, names, row, _plain_row(self._model, self._resource, {**create, **given}))
        reading = self._rows.reading()
        changes = assignments(self._model, self._resource, _plain_parts(self._model, self._resource, update), reading)
        shape = Upsert(self._resource.name, tuple(sorted(row)), names, changes, ("id",))
        async with self._access.writing() as session:
            document = await session.upsert(shape, row, reading.slots)
            return await self._rows.again(self._model.instances.digits(self._resource.name, document["id"]), include)

    async def delete(self, key: Key) -> bool:
        """Removes a row, and what it owns; False where there was none. Raises `StillReferenced`."""
        self._refuse_owned()
        async with self._access.writing() as session:
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
        """Restores a deleted row, with what was deleted along with it.

        Raises:
            NotFound: there is no such row, or it is not deleted.
            Duplicate: another row has one of its unique values by now.
            ReferenceNotFound: it refers to a row that is deleted.
        """
        self._refuse_owned()
        async with self._access.writing() as session:
            digits = self._model.instances.digits(self._resource.name, id)
            if not await session.restore(self._resource.name, digits):
                raise NotFound(f"There is no deleted {self._resource.name} {id}")
            return await self._rows.again(digits, None)

    def with_deleted(self) -> Self:
        """The same rows and the deleted ones, for reading: `{"deleted_at": {"isNull": False}}` finds those alone."""
        found = copy(self)
        found._deleted = True
        found._rows = RowReader(self._access, self._resource, deleted=True)
        return found

    async def delete_many(self, where: Where, *, expect: int | None = None) -> int:
        """Removes every row that fits, with one statement; how many. `{}` fits all. `expect` as in `update_many`."""
        self._refuse_owned()
        reading = self._rows.reading()
        node = reading.where(self._resource, _required(where, "delete_many"))
        async with self._access.writing(whole=expect is not None) as session:
            remove = Remove(self._resource.name, node)
            count = await session.remove(remove, reading.slots, at=self._model.clock.now())
            _expected(count, expect)
        return count

    # -- parts

    def _unique(self, key: Any) -> tuple[str, ...]:
        return (
            unique_key(self._resource, cast("Mapping[str, Any]", key), self._access.visibility)
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

    def _refuse_owned(self) -> None:
        if self._deleted:
            raise RuntimeError("with_deleted() is for reading: restore a row, or write through the table itself")
        if self._resource.owned_by is not None:
            raise RuntimeError(
                f"{self._resource.name} is written with its {self._resource.owned_by}: "
                f"create or update that, with the list nested in it"
            )


def _refuse_other_key(
    resource: ResourcePlan, names: Sequence[str], row: Mapping[str, Any], wanted: Mapping[str, Any]
) -> None:
    """Raises `TypeError` where a row is not the one with the wanted key, or is found by none."""
    for name in names:
        if row[name] is None:
            raise TypeError(f"{resource.name}.{name} is None, and no row is found by that")
        if not _equal(resource.fields_by_name[name], row[name], wanted[name]):
            raise TypeError(f"create has another value for {resource.name}.{name} than the key")


def _equal(field: FieldPlan, one: Any, other: Any) -> bool:
    """Whether two values are one to a unique rule."""
    return without_case(one) == without_case(other) if field.ignore_case else one == other


def _nests(resource: ResourcePlan, data: Mapping[str, Any]) -> bool:
    return any(name in resource.relations_by_name for name in data)


def _plain_parts(model: DataModel, resource: ResourcePlan, data: Mapping[str, Any]) -> Parts:
    parts = taken_apart(model, resource, data)
    if parts.related:
        raise TypeError(f"{next(iter(parts.related))} cannot be nested here; use create or update, row by row")
    return parts


def _plain_row(model: DataModel, resource: ResourcePlan, data: Mapping[str, Any]) -> dict[str, Any]:
    parts = _plain_parts(model, resource, data)
    if parts.changes:
        raise TypeError(f"{next(iter(parts.changes))} cannot be computed from what it is in a new row")
    return complete(resource, parts.values, model.new_id, model.clock)


def _required(where: Any, call: str) -> Any:
    if where is None:
        raise TypeError(f"{call} needs a where; {{}} fits every row")
    return where


def _expected(count: int, expect: int | None) -> None:
    if expect is not None and count != expect:
        raise Conflict(f"{count} rows fit, and {expect} were expected: nothing was changed")


Repository = Table[Row, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any]
"""The rows of a resource without the types of a generated file, as `ctx.repository(Order)` gives them:
`Repository[Order]`."""

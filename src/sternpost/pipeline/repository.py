"""Repositories: typed access to a resource's rows for services. They work in the operation's own transaction.

The policy of the operation has been checked before a service runs; a repository itself asks nothing more. It keeps the
contract's rules all the same: a value that breaks one is refused by the database, whoever writes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from sternpost.errors import NotFound
from sternpost.pipeline.writing import complete, refuse_counted, stamp
from sternpost.plan.model import FieldPlan, ResourcePlan
from sternpost.ports.storage import Condition, ListShape, ListValues, Reader, Session

if TYPE_CHECKING:
    from sternpost.pipeline.runtime import Runtime

T = TypeVar("T")

_OPERATORS = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "contains", "startsWith", "isNull")


class Repository(Generic[T]):
    """The rows of one resource.

    A `where` is a mapping of field names to values, or to a mapping of operators to values:
    `{"status": "placed", "total_cents": {"gte": 1000}}`.
    """

    def __init__(self, cls: type[T], runtime: Runtime, reader: Reader) -> None:
        self._runtime = runtime
        self._reader = reader
        resource = runtime.instances.by_class.get(cls)
        if resource is None:
            raise TypeError(f"{cls.__name__} is not a resource of the contract {runtime.plan.name!r}")
        self._resource: ResourcePlan = resource

    async def get(self, id: str) -> T:
        """One row. Raises `NotFound`."""
        found = await self.find_one(id)
        if found is None:
            raise NotFound(f"There is no {self._resource.name} {id}")
        return found

    async def find_one(self, id: str) -> T | None:
        """One row by id, or None."""
        row = await self._reader.get(self._runtime.views.full(self._resource), self._digits(id))
        return None if row is None else self._instance(row.document)

    async def find(
        self,
        where: Mapping[str, Any] | None = None,
        *,
        order: Sequence[str] = (),
        limit: int | None = None,
        offset: int = 0,
    ) -> list[T]:
        """Rows that fit `where`, in `order` (a `-` before a name for descending), then in order of creation."""
        conditions, values = self._conditions(where or {})
        sort = tuple((self._field(name.removeprefix("-")).name, name.startswith("-")) for name in order)
        shape = ListShape(self._runtime.views.full(self._resource), conditions=conditions, sort=sort)
        rows = await self._reader.browse(shape, ListValues(values, limit=limit, offset=offset))
        return [self._instance(document) for document in rows.documents]

    async def first(self, where: Mapping[str, Any] | None = None, *, order: Sequence[str] = ()) -> T | None:
        """The first row that fits, or None."""
        found = await self.find(where, order=order, limit=1)
        return found[0] if found else None

    async def count(self, where: Mapping[str, Any] | None = None) -> int:
        """How many rows fit."""
        conditions, values = self._conditions(where or {})
        shape = ListShape(self._runtime.views.bare(self._resource), conditions=conditions)
        rows = await self._reader.browse(shape, ListValues(values, limit=0), count=True)
        return rows.total or 0

    async def create(self, **values: Any) -> T:
        """Adds a row; what is not given gets its default. Owned lists are written with their parent (see `Change`)."""
        self._refuse_owned()
        given = self._from_author(values)
        row = complete(self._resource, given, self._runtime.new_id, self._runtime.clock)
        document = await self._session().insert(self._runtime.views.bare(self._resource), row)
        return self._instance(document)

    async def update(self, id: str, **values: Any) -> T:
        """Changes some fields of a row. Raises `NotFound`."""
        self._refuse_owned()
        if not values:
            return await self.get(id)
        changed = stamp(self._resource, self._from_author(values), self._runtime.clock)
        document = await self._session().update(self._runtime.views.bare(self._resource), self._digits(id), changed)
        if document is None:
            raise NotFound(f"There is no {self._resource.name} {id}")
        return self._instance(document)

    async def delete(self, id: str) -> bool:
        """Removes a row; False where there was none."""
        self._refuse_owned()
        return await self._session().delete(self._resource.name, self._digits(id), at=self._runtime.clock.now())

    async def restore(self, id: str) -> T:
        """Brings back a deleted row, with what was deleted along with it. Raises `NotFound` where none is deleted."""
        if not await self._session().restore(self._resource.name, self._digits(id)):
            raise NotFound(f"There is no deleted {self._resource.name} {id}")
        return await self.get(id)

    async def increment(self, id: str, field: str, by: Any, *, at_least: Any | None = None) -> bool:
        """Adds `by` to a number in one statement, so that concurrent changes add up.

        Returns:
            False, and nothing changed, where the row does not exist or the result would be below `at_least`.
        """
        return await self._session().increment(
            self._resource.name, self._digits(id), self._field(field).name, by, at_least
        )

    def _instance(self, document: dict[str, Any]) -> T:
        return cast("T", self._runtime.instances.row(self._resource, document))

    def _digits(self, id: str) -> str:
        return self._runtime.instances.digits(self._resource.name, id)

    def _session(self) -> Session:
        if not hasattr(self._reader, "insert"):
            raise RuntimeError('This operation only reads. Declare it with method="POST" to write.')
        return cast("Session", self._reader)

    def _refuse_owned(self) -> None:
        if self._resource.owned_by is not None:
            raise RuntimeError(
                f"{self._resource.name} is written with its {self._resource.owned_by}: set the list in the Change of that"
            )

    def _field(self, name: str) -> FieldPlan:
        field = self._resource.fields_by_name.get(name)
        if field is None:
            raise TypeError(
                f"{self._resource.name} has no field {name!r}; it has {', '.join(self._resource.fields_by_name)}"
            )
        return field

    def _from_author(self, values: Mapping[str, Any]) -> dict[str, Any]:
        for name in values:
            refuse_counted(self._resource, self._field(name))
        return {name: self._runtime.instances.from_author(self._field(name), value) for name, value in values.items()}

    def _conditions(self, where: Mapping[str, Any]) -> tuple[tuple[Condition, ...], tuple[Any, ...]]:
        conditions: list[Condition] = []
        values: list[Any] = []
        for name, wanted in where.items():
            field = self._field(name)
            tests: Mapping[str, Any] = (
                cast("Mapping[str, Any]", wanted) if isinstance(wanted, Mapping) else {"eq": wanted}
            )
            for operator, value in tests.items():
                if operator not in _OPERATORS:
                    raise TypeError(f"{operator!r} is not an operator; there are {', '.join(_OPERATORS)}")
                if operator == "isNull" or (operator == "eq" and value is None):
                    conditions.append(Condition(name, "isNull" if operator == "eq" or value else "isNotNull"))
                    values.append(None)
                else:
                    conditions.append(Condition(name, operator))
                    values.append(self._value(field, operator, value))
        return tuple(conditions), tuple(values)

    def _value(self, field: FieldPlan, operator: str, value: Any) -> Any:
        from_author = self._runtime.instances.from_author
        return [from_author(field, item) for item in value] if operator == "in" else from_author(field, value)

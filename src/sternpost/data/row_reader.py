"""Reads one resource's rows for the data client: an author's arguments become a query, documents become instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sternpost.data.access import DataAccess
from sternpost.data.rows import columns_of, model_of_document
from sternpost.data.where import Reading
from sternpost.data.writes import unique_key
from sternpost.errors import NotFound
from sternpost.plan.model import ResourcePlan
from sternpost.plan.query import Select
from sternpost.ports.storage import NOBODY, Arguments, Asking, Document, Position, Reader


class RowReader:
    """The rows of one resource, where the data client works.

    Args:
        deleted: whether deleted rows are read, too.
    """

    def __init__(self, access: DataAccess, resource: ResourcePlan, *, deleted: bool = False) -> None:
        self._access = access
        self._model = access.model
        self._resource = resource
        self._deleted = deleted

    @property
    def reader(self) -> Reader:
        """What to read with."""
        reader = self._access.reader
        return reader.with_deleted() if self._deleted else reader

    def reading(self) -> Reading:
        """A new query, and the slots for its values."""
        return Reading(self._model.plan, self._model.checks)

    def instance(self, document: Document) -> Any:
        """A row as an instance of the author's class."""
        return self._model.instances.row(self._resource, document)

    async def read(
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
        """The rows that fit; see `Table.find`."""
        if into is not None:
            fields = self._columns(into)
        reading = self.reading()
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
        reader, position = self.reader, None
        if after is not None:
            key = after if isinstance(after, str) else getattr(after, "id", None)
            digits = self._model.instances.digits(self._resource.name, key)
            position = await reader.position(query, digits, reading.slots)
            if position is None:
                raise NotFound(f"There is no {self._resource.name} {key} to continue after")
            query = query.behind(position)
        documents = (await reader.select(query, self._arguments(query, reading, position))).documents
        documents = await self._completed(query, documents)
        if into is not None:
            return [model_of_document(self._model, into, self._resource, document) for document in documents]
        return [self.instance(document) for document in documents]

    def _arguments(self, query: Select, reading: Reading, position: Position | None = None) -> Arguments:
        """What travels with a query: what it computes may ask for the instant, and never for a caller."""
        asking = Asking(None, self._model.clock.now()) if query.computes else NOBODY
        return Arguments(reading.slots, asking, position)

    async def _completed(self, query: Select, documents: list[Document]) -> list[Document]:
        """The rows with what authors' functions compute of them."""
        computing = self._model.computing
        if computing is None or not query.calls:
            return documents
        return await computing.for_data(self._model, query, documents, self._access)

    def _in_transaction(self) -> bool:
        if self._access.session is None:
            raise RuntimeError("A lock ends with its transaction: read with lock=True inside db.transaction()")
        return True

    def _columns(self, model: type[Any]) -> tuple[str, ...]:
        names = columns_of(model)
        unknown = [name for name in names if name not in self._resource.shown_by_name]
        if unknown:
            raise TypeError(
                f"{model.__name__}.{unknown[0]} is no field of {self._resource.name}, "
                f"which has {', '.join(self._resource.shown_by_name)}"
            )
        return names

    def key_where(self, key: Any) -> Mapping[str, Any]:
        """The condition for one row: by an id, or by the values of a unique key."""
        if isinstance(key, Mapping):
            unique_key(self._resource, cast("Mapping[str, Any]", key), self._access.visibility)
            return cast("Mapping[str, Any]", key)
        return {"id": key}

    async def again(self, digits: str, include: Any) -> Any:
        """The row as it now is."""
        reading = self.reading()
        query = reading.query(self._resource, include=include)
        session = self._access.session
        assert session is not None, "a write has opened a transaction"
        row = await session.get(query, digits, self._arguments(query, reading))
        if row is None:
            raise NotFound(f"There is no such {self._resource.name}")
        (document,) = await self._completed(query, [row.document])
        return self.instance(document)

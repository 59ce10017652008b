"""A change that is about to be written: what the client sent, for a service to look at, complete, and apply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar, cast

from sternpost.data.model import DataModel
from sternpost.data.writing import complete, computed_values, refuse_counted, stamp
from sternpost.errors import ConstraintViolated, NotFound
from sternpost.plan.model import FieldPlan, RelationPlan, ResourcePlan
from sternpost.plan.query import Assignment, Modify, Select, key_is
from sternpost.plan.row_errors import refuse_broken
from sternpost.ports.storage import Document, Session

T = TypeVar("T")


class Draft(MutableMapping[str, Any]):
    """Values of a row that is to be written, by field name, in the form that services see: ids carry their prefix."""

    def __init__(self, model: DataModel, resource: ResourcePlan, values: dict[str, Any]) -> None:
        self._model = model
        self._resource = resource
        self._lists = {each.name: resource.relations_by_name[each.name] for each in resource.shape.lists}
        self._values: dict[str, Any] = {}
        for name, value in values.items():
            self._values[name] = self._rows(name, value) if self._is_owned(name) else value

    @property
    def values_to_write(self) -> dict[str, Any]:
        """The values in the pipeline's own form."""
        return self._values

    def __getitem__(self, name: str) -> Any:
        value = self._values[name]
        if self._is_owned(name):
            return value
        if name in self._lists:
            target = self._model.plan.by_name[self._lists[name].target]
            return [self._model.instances.to_author(target.fields_by_name["id"], item) for item in value]
        return self._model.instances.to_author(self._field(name), value)

    def __setitem__(self, name: str, value: Any) -> None:
        instances = self._model.instances
        if self._is_owned(name):
            self._values[name] = [row if isinstance(row, Draft) else self._authored(name, row) for row in value]
        elif name in self._lists:
            self._values[name] = [instances.digits(self._lists[name].target, item) for item in value]
        else:
            field = self._field(name)
            refuse_counted(self._resource, field)
            self._values[name] = self._model.checks.stored(self._resource, field, value)

    def __delitem__(self, name: str) -> None:
        del self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._resource.name}: {', '.join(self._values)}>"

    def _is_owned(self, name: str) -> bool:
        relation = self._lists.get(name)
        return relation is not None and relation.kind == "owned"

    def _rows(self, name: str, rows: Sequence[dict[str, Any]]) -> list[Draft]:
        target = self._model.plan.by_name[self._lists[name].target]
        return [Draft(self._model, target, row) for row in rows]

    def _authored(self, name: str, row: Mapping[str, Any]) -> Draft:
        draft = Draft(self._model, self._model.plan.by_name[self._lists[name].target], {})
        draft.update(row)
        return draft

    def _field(self, name: str) -> FieldPlan:
        field = self._resource.fields_by_name.get(name)
        if field is None:
            raise TypeError(
                f"{self._resource.name} has no field {name!r}; it has {', '.join(self._resource.fields_by_name)}"
            )
        return field


class Change(Draft, Generic[T]):
    """The validated input of a client; owned lists are lists of `Draft`. Set the server's values, then call `apply()`.

    Attributes:
        current: the row as it is, or None when one is being created. It is locked until the transaction ends.
    """

    def __init__(
        self,
        model: DataModel,
        session: Session,
        resource: ResourcePlan,
        values: dict[str, Any],
        current: Document | None,
        id: str | None,
    ) -> None:
        super().__init__(model, resource, values)
        self._session = session
        self._id = id
        self.document: Document | None = None
        self._current_document = current

    @cached_property
    def current(self) -> T | None:
        """The row as it is, or None when one is being created. It is locked until the transaction ends."""
        if self._current_document is None:
            return None
        return cast("T", self._model.instances.row(self._resource, self._current_document))

    def __setitem__(self, name: str, value: Any) -> None:
        if self.document is not None:
            raise RuntimeError("The change has already been applied; set values before apply()")
        super().__setitem__(name, value)

    async def apply(self) -> T:
        """Writes the change and returns the row as it is now. Can be called once."""
        return cast("T", self._model.instances.row(self._resource, await self.write()))

    async def write(self) -> Document:
        """The same without making an instance: for changes that no author's function looks at."""
        if self.document is None:
            self.document = await self._write()
        return self.document

    # -- writing

    async def _write(self) -> Document:
        lists = {name: self._values[name] for name in self._lists if name in self._values}
        values = {name: value for name, value in self._values.items() if name not in self._lists}
        owned = {
            name: self._items(self._lists[name], rows)
            for name, rows in lists.items()
            if self._lists[name].kind == "owned"
        }
        values.update(computed_values(self._resource, owned))
        if self._id is None:
            row = complete(self._resource, values, self._model.new_id, self._model.clock)
            document = await self._session.insert(self._resource.name, row)
            key = (
                cast("str", row["id"])
                if "id" in row
                else self._model.instances.digits(self._resource.name, document["id"])
            )
        else:
            document, key = await self._update(values, bool(lists)), self._id
        for relation in self._resource.owned_relations:
            document[relation.public_name] = await self._owned(relation, key, owned.get(relation.name))
        for name, targets in lists.items():
            if self._lists[name].kind == "linked" and (targets or self._current_document is not None):
                await self._session.replace_links(self._resource.name, name, key, targets)
        return document

    async def _update(self, values: dict[str, Any], lists_change: bool) -> Document:
        assert self._id is not None
        assert self._current_document is not None
        if not values and not lists_change:
            return dict(self._current_document)
        changed = stamp(self._resource, values, self._model.clock)
        if self._resource.checks:
            (present,) = self._model.instances.written_rows(self._resource, [self._current_document])
            refuse_broken(self._resource, {**present, **changed})
        if not changed and self._resource.version_field is None:
            return dict(self._current_document)
        assignments = tuple(Assignment(name, "set", slot) for slot, name in enumerate(changed, start=1))
        fields = tuple(field.name for field in self._resource.fields)
        modify = Modify(self._resource.name, key_is(0), assignments, fields)
        _, documents = await self._session.modify(modify, (self._id, *changed.values()))
        if not documents:  # it is locked: it has gone in this very transaction, or the database has dropped the change
            if await self._session.get(Select(self._resource.name, ("id",)), self._id) is not None:
                raise ConstraintViolated.dropped()
            raise NotFound(f"The {self._resource.name} was deleted before the change was applied")
        return documents[0]

    async def _owned(self, relation: RelationPlan, id: str, rows: Sequence[dict[str, Any]] | None) -> list[Document]:
        if rows is None:
            return self._current_document[relation.public_name] if self._current_document else []
        if not rows and self._current_document is None:
            return []
        return await self._session.replace_owned(self._resource.name, relation.name, id, rows)

    def _items(self, relation: RelationPlan, rows: Sequence[Draft]) -> list[dict[str, Any]]:
        """Items as whole rows, defaults filled in."""
        target = self._model.plan.by_name[relation.target]
        return [complete(target, row.values_to_write, self._model.new_id, self._model.clock) for row in rows]

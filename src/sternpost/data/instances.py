"""Turns documents into the author's own classes, for the author's own code. Requests that only move data
never do this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from sternpost.contract.relations import Many, One, Owned
from sternpost.errors import Invalid
from sternpost.exact_json import to_author
from sternpost.ids import decode, encode
from sternpost.kinds import READERS
from sternpost.plan.model import FieldPlan, ListOf, MapOf, ObjectOf, PayloadPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.structures import payload_of
from sternpost.plan.values import from_plan
from sternpost.ports.storage import Document


class Instances:
    """Makes instances of a plan's classes."""

    def __init__(self, plan: Plan, classes: Mapping[str, type]) -> None:
        self.plan = plan
        self.classes = classes
        self.by_class = {cls: plan.by_name[name] for name, cls in classes.items() if name in plan.by_name}
        self._fields = {
            resource.name: [(field.name, field.public_name, self._converts(field)) for field in resource.shown]
            for resource in plan.resources
        }
        """Of each resource: the names of its fields, and what makes an author's value of one; None where it is one."""

    def _converts(self, field: FieldPlan) -> Callable[[Any], Any] | None:
        return READERS.get(field.kind) if field.structure is None else partial(self.value, field)

    def row(self, resource: ResourcePlan, document: Document) -> Any:
        """An instance of a resource's class; relations that were not read raise `NotLoaded` when touched."""
        values: dict[str, Any] = {}
        for name, public_name, convert in self._fields[resource.name]:
            if public_name in document:
                value = document[public_name]
                values[name] = value if convert is None or value is None else convert(value)
        for relation in resource.relations:
            if relation.kind == "one" and relation.local_field in values:
                key = values[relation.local_field]
                values[relation.name] = None if key is None else self._one(relation, key, document)
            elif relation.kind == "owned" and relation.public_name in document:
                target = self.plan.by_name[relation.target]
                values[relation.name] = Owned([self.row(target, item) for item in document[relation.public_name]])
            elif relation.public_name in document:
                target = self.plan.by_name[relation.target]
                values[relation.name] = Many([self.row(target, item) for item in document[relation.public_name]])
        return self.classes[resource.name](**values)

    def _one(self, relation: RelationPlan, key: str, document: Document) -> One[Any]:
        if relation.public_name not in document:
            return One(key)
        found = document[relation.public_name]
        return One(key, None if found is None else self.row(self.plan.by_name[relation.target], found))

    def payload(self, payload: PayloadPlan, values: Mapping[str, Any]) -> Any:
        """An instance of a payload's class, of values in the pipeline's form."""
        shown = {
            field.name: self.to_author(field, values[field.name]) for field in payload.fields if field.name in values
        }
        return self.classes[payload.name](**shown)

    def value(self, field: FieldPlan, value: Any) -> Any:
        """A value of a document as an author sees it: Python's own, and instances of payloads."""
        if value is None:
            return None
        match field.structure:
            case ListOf(items):
                return [self.value(items, item) for item in to_author(value)]
            case MapOf(values):
                return {name: self.value(values, item) for name, item in to_author(value).items()}
            case ObjectOf():
                found = to_author(value)
                payload = payload_of(field.structure, found)
                members = ((each, each.public_name) for each in payload.fields)
                return self.classes[payload.name](
                    **{each.name: self.value(each, found[name]) for each, name in members if name in found}
                )
            case None:
                return from_plan(field, value)

    def written_rows(self, resource: ResourcePlan, documents: Sequence[Document]) -> list[dict[str, Any]]:
        """Rows as they were read, in the form in which they are written."""
        return [
            {
                field.name: document[field.public_name]
                if field.structure is not None
                else self.from_author(field, from_plan(field, document[field.public_name]))
                for field in resource.fields
                if field.public_name in document
            }
            for document in documents
        ]

    def to_author(self, field: FieldPlan, value: Any) -> Any:
        """A value of the pipeline as an author sees it: ids get their prefix, and objects are instances."""
        if field.structure is not None:
            return self.value(field, value)
        if field.references is not None and isinstance(value, str):
            return encode(self.plan.by_name[field.references].prefix, value)
        return value

    def from_author(self, field: FieldPlan, value: Any) -> Any:
        """The other way. Raises `Invalid` for text that is not an id of the right resource."""
        if isinstance(value, One):
            value = value.id  # pyright: ignore[reportUnknownMemberType]
        if field.references is None or value is None:
            return value
        return self.digits(field.references, value)

    def digits(self, resource: str, text: Any) -> str:
        """The 32 digits of an id of `resource`. Raises `Invalid`."""
        prefix = self.plan.by_name[resource].prefix
        digits = decode(prefix, text) if isinstance(text, str) else None
        if digits is None:
            what = "The text" if isinstance(text, str) else f"A value of the type {type(text).__name__}"
            raise Invalid(f"{what} is not an id of {resource} ({prefix}_…)")
        return digits

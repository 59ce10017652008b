"""Examples of inputs: what documentation fills in, so that a request can be sent as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan, ListOf, MapOf, ObjectOf, OperationPlan, PayloadPlan, Plan, ResourcePlan
from sternpost.plan.shapes import InputShape, ListMember

_FORMATS = {"email": "ada@example.com", "uri": "https://example.com/", "slug": "an-example"}
"""Texts of the formats that Sternpost knows."""


_TRIED = ("text", "TEXT", "ABC-123", "A", "a", "1", "123", "12345", "+15551234567", "2026-01-31", "00:00")
"""Texts that may match a pattern of an author's own."""


class _Unknown(Exception):
    """No value is known that fits a pattern."""


def example_of(plan: Plan, resource: ResourcePlan, operation: OperationPlan) -> dict[str, Any] | None:
    """An input of an operation: what its author gives, and for what is missing the examples of fields, their defaults,
    or a value of their kind. None where a pattern of an author's own needs an example that they do not give."""
    given = dict(operation.example)
    try:
        if operation.input is not None:
            return {**_object(operation.input), **given}
        assert operation.takes is not None, "it takes an input"
        return {**_input(plan, operation.takes, resource.fields_by_name), **given}
    except _Unknown:
        return None


def _input(plan: Plan, shape: InputShape, fields: Mapping[str, FieldPlan]) -> dict[str, Any]:
    wanted = [
        fields[member.name] for member in shape.members if member.required or fields[member.name].example is not None
    ]
    if shape.partial:
        wanted = wanted[:1] or [fields[member.name] for member in shape.members[:1]]
    found = {field.public_name: value_of(plan, field) for field in wanted}
    found.update({each.public_name: list_of(plan, each) for each in shape.lists if each.required})
    return found


def list_of(plan: Plan, each: ListMember) -> list[Any]:
    """As many members of a list as it needs, one at least."""
    target = plan.by_name[each.target]
    one = _id(target.prefix) if each.items is None else _input(plan, each.items, target.fields_by_name)
    return [one] * max(each.min_items, 1)


def _id(prefix: str) -> str:
    return f"{prefix}_{'0' * 32}"


def _object(payload: PayloadPlan) -> dict[str, Any]:
    wanted = (field for field in payload.fields if field.required or field.example is not None)
    return {field.public_name: value_of(None, field) for field in wanted}


def value_of(plan: Plan | None, field: FieldPlan) -> Any:
    """A value that fits a field."""
    if field.example is not None:
        return field.example
    if field.default is not None:
        return field.default
    match field.structure:
        case ListOf(items, least, _):
            return [value_of(plan, items)] * max(least, 1)
        case MapOf(values, least, _):
            return {f"name{number}": value_of(plan, values) for number in range(1, max(least, 1) + 1)}
        case ObjectOf(payloads):  # the field that tells them apart is required, and has one value
            return _object(payloads[0])
        case None:
            return _single(plan, field)


def _single(plan: Plan | None, field: FieldPlan) -> Any:
    if field.references is not None and plan is not None:
        return _id(plan.by_name[field.references].prefix)
    if field.choices:
        return field.choices[0]
    if field.minimum is not None and field.minimum != KINDS[field.kind].least:
        return field.minimum
    if field.maximum is not None and field.maximum != KINDS[field.kind].most:
        return field.maximum
    if field.pattern is not None and field.format not in _FORMATS:
        return _matching(field, field.pattern)
    found = _FORMATS.get(field.format or "", KINDS[field.kind].sample)
    if field.min_length is not None and isinstance(found, str):
        found = found.ljust(field.min_length, "x")
    return found[: field.max_length] if isinstance(found, str) and field.max_length is not None else found


def _matching(field: FieldPlan, pattern: str) -> str:
    """A text that matches a pattern. Raises `_Unknown`."""
    for text in _TRIED:
        if re.search(pattern, text) and (field.min_length or 0) <= len(text) <= (field.max_length or len(text)):
            return text
    raise _Unknown

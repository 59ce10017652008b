"""Members of objects in JSON by which rows are found: which there are, and what they are compared by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sternpost.kinds import DIGITS_MAX, KINDS, kind_within
from sternpost.plan.model import FieldPlan, ListOf, MapOf, ObjectOf


def fields_within(field: FieldPlan) -> dict[str, FieldPlan]:
    """The members of a field that holds one kind of object, by name; none of another field."""
    payloads = field.structure.payloads if isinstance(field.structure, ObjectOf) else ()
    return {each.name: each for each in payloads[0].fields} if len(payloads) == 1 else {}


def is_comparable(field: FieldPlan) -> bool:
    """Whether a member is one value, that every database compares exactly."""
    if field.structure is not None or KINDS[field.kind].within is None:
        return False
    return field.max_digits is None or (field.max_digits <= DIGITS_MAX and field.decimal_places is not None)


def members_of(field: FieldPlan) -> Iterator[tuple[FieldPlan, ...]]:
    """The ways from a field into the object that it holds, to each member that can be compared: the field is the first
    of each."""
    for each in fields_within(field).values():
        if is_comparable(each):
            yield (field, each)
        yield from ((field, *way) for way in members_of(each))


def operators_of(way: Sequence[FieldPlan]) -> tuple[str, ...]:
    """The operators that a list offers on a member: those that it declares, as far as they are known within JSON, and
    whether it is null where something on the way may be, and no operators were chosen."""
    *before, member = way
    known = kind_within(member).filters
    offered = tuple(operator for operator in member.filters if operator in (*known, "isNull"))
    may_be_null = any(field.nullable for field in before) and {*known} <= {*member.filters}
    return (*offered, "isNull") if may_be_null and "isNull" not in offered else offered


def compared_within(field: FieldPlan) -> FieldPlan:
    """A member as what it is compared as: a column of that kind would be compared alike."""
    within = KINDS[field.kind].within
    assert within is not None, "it is comparable"
    return replace(field, kind=within.kind, nullable=True, ignore_case=False, storage=None)


def form_within(field: FieldPlan) -> Callable[[Any], Any] | None:
    """What makes of a member's value what is compared instead; None for the value itself."""
    within = KINDS[field.kind].within
    return within.form if within is not None else None


def shape_of(field: FieldPlan) -> str:
    """What a field is, into which no path leads, or at which none ends."""
    match field.structure:
        case ListOf():
            return "a list"
        case MapOf():
            return "a dictionary"
        case ObjectOf(payloads) if len(payloads) > 1:
            return f"one of several objects ({', '.join(payload.name for payload in payloads)})"
        case ObjectOf():
            return "an object"
        case None:
            return "of the kind " + field.kind

"""JSON of which each part is declared: lists, dictionaries and objects, at any depth.

Within it every value is JSON-ready at any time: in inputs, documents and columns alike. Only authors see Python's
values (`data/instances.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import orjson

from sternpost import exact_json
from sternpost.kinds import ANYTHING, KINDS, READERS, parse_json
from sternpost.plan.model import FieldPlan, ListOf, MapOf, ObjectOf, PayloadPlan

Check = Callable[[Any], Any]

_MISSING: Any = object()


def payload_of(structure: ObjectOf, document: Mapping[str, Any]) -> PayloadPlan:
    """Which payload an object is. Raises `ValueError` where it is none."""
    if structure.discriminator is None:
        return structure.payloads[0]
    for payload in structure.payloads:
        field = tag_of(structure, payload)
        if document.get(field.public_name) == field.choices[0]:
            return payload
    raise ValueError("the object is none of the declared ones")


def tag_of(structure: ObjectOf, payload: PayloadPlan) -> FieldPlan:
    """The field by which a payload is told apart."""
    return next(field for field in payload.fields if field.name == structure.discriminator)


def items_of(field: FieldPlan) -> FieldPlan | None:
    """What the items of a list of single values are; None where it is no such list."""
    items = field.structure.items if isinstance(field.structure, ListOf) else None
    return None if items is None or items.kind == ANYTHING else items


def holds_json(field: FieldPlan) -> bool:
    """Whether some part of it may be any JSON value."""
    match field.structure:
        case ListOf(items):
            return holds_json(items)
        case MapOf(values):
            return holds_json(values)
        case ObjectOf(payloads):
            return any(holds_json(each) for payload in payloads for each in payload.fields)
        case None:
            return field.kind == ANYTHING


def parts_of(field: FieldPlan) -> Iterator[FieldPlan]:
    """The members of the objects that a value consists of, at any depth."""
    match field.structure:
        case ListOf(inner) | MapOf(inner):
            yield from parts_of(inner)
        case ObjectOf(payloads):
            for each in (each for payload in payloads for each in payload.fields):
                yield each
                yield from parts_of(each)
        case None:
            pass


def constant(field: FieldPlan, value: Any) -> Any:
    """A constant of a contract, JSON-ready; None where it does not fit."""
    match field.structure:
        case ListOf(items, least, most):
            if not isinstance(value, list | tuple) or not least <= len(cast("Sequence[Any]", value)) <= most:
                return None
            found = [_part(items, item) for item in cast("Sequence[Any]", value)]
            return None if _MISSING in found else found
        case MapOf(values, least, most):
            if not isinstance(value, dict) or not least <= len(cast("dict[Any, Any]", value)) <= most:
                return None
            named = {name: _part(values, item) for name, item in cast("dict[Any, Any]", value).items()}
            return None if _MISSING in named.values() or not all(isinstance(name, str) for name in named) else named
        case ObjectOf():
            return _object_constant(field.structure, value)
        case None:
            return KINDS[field.kind].constant(value, field)


def _part(field: FieldPlan, value: Any) -> Any:
    if value is None:
        return None if field.nullable else _MISSING
    found = constant(field, value)
    return _MISSING if found is None else found


def _object_constant(structure: ObjectOf, value: Any) -> Any:
    payload = next((each for each in structure.payloads if each.name == type(value).__name__), None)
    if payload is None:
        return None
    found = {each.public_name: _part(each, getattr(value, each.name, each.default)) for each in payload.fields}
    return None if _MISSING in found.values() else found


def exact(field: FieldPlan, value: Any, sent: Any) -> Any:
    """A value that was read with binary numbers, with each digit of the numbers within JSON of the client's own.

    Args:
        sent: the same as it was sent, with each digit.
    """
    if value is None:
        return None
    match field.structure:
        case ListOf(items):
            return [exact(items, item, part) for item, part in zip(value, sent, strict=True)]
        case MapOf(values):
            return {name: exact(values, item, sent[name]) for name, item in value.items()}
        case ObjectOf():
            named = {each.public_name: each for each in payload_of(field.structure, value).fields}
            return {
                name: exact(named[name], item, sent[name]) if name in sent else item for name, item in value.items()
            }
        case None:
            return parse_json(sent) if field.kind == ANYTHING else value


def reader(field: FieldPlan) -> Check:
    """Reads what a column holds: only declared members, with the defaults of those that are not there, because rows may
    be older than the declaration.

    The function that it gives raises `ValueError` or `TypeError` for what does not fit the declaration.
    """
    read = _reader(field)

    def run(value: Any) -> Any:
        if isinstance(value, orjson.Fragment):
            return exact_json.to_document(read(exact_json.to_author(value)))
        return read(value)

    return run


def _reader(field: FieldPlan) -> Check:
    check = _checked(field)
    if not field.nullable:
        return check
    return lambda value: None if value is None else check(value)


def _checked(field: FieldPlan) -> Check:
    match field.structure:
        case ListOf(items):
            return _list_reader(_reader(items))
        case MapOf(values):
            return _map_reader(_reader(values))
        case ObjectOf(payloads) if len(payloads) == 1:
            return _object_reader(payloads[0])
        case ObjectOf(payloads):
            structure, readers = field.structure, {payload.name: _object_reader(payload) for payload in payloads}
            return lambda value: readers[payload_of(structure, value).name](value)
        case None:
            return _value_reader(field)


def _list_reader(read: Check) -> Check:
    def run(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise TypeError("not a list")
        return [read(item) for item in cast("list[Any]", value)]

    return run


def _map_reader(read: Check) -> Check:
    def run(value: Any) -> dict[str, Any]:
        return {name: read(item) for name, item in value.items()}

    return run


def _object_reader(payload: PayloadPlan) -> Check:
    members = [(each.public_name, _reader(each), each.required, each.default) for each in payload.fields]

    def run(value: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, read, required, default in members:
            item = value.get(name, _MISSING)
            if item is _MISSING:
                if required:
                    raise ValueError(f"{name} is missing")
                found[name] = default
            else:
                found[name] = read(item)
        return found

    return run


def _value_reader(field: FieldPlan) -> Check:
    kind = KINDS[field.kind]
    if field.kind == ANYTHING:
        return lambda value: value
    if field.choices:
        return _choice_reader(frozenset(field.choices))
    if field.kind in READERS:
        return _text_reader(kind.read)
    return _type_reader(kind.types, is_truth=bool in kind.types)


def _choice_reader(choices: frozenset[str]) -> Check:
    def run(value: Any) -> Any:
        if value not in choices:
            raise ValueError("none of the declared values")
        return value

    return run


def _text_reader(read: Check) -> Check:
    """Values that JSON has as text."""

    def run(value: Any) -> Any:
        if not isinstance(value, str):
            raise TypeError("not a text")
        read(value)
        return value

    return run


def _type_reader(types: tuple[type, ...], *, is_truth: bool) -> Check:
    def run(value: Any) -> Any:
        if not isinstance(value, types) or isinstance(value, bool) is not is_truth:
            raise TypeError("of another type")
        return value

    return run

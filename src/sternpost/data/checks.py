"""Values that an author hands in: of the right type for their field, and in the pipeline's form."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from sternpost.data.instances import Instances
from sternpost.errors import SternpostError
from sternpost.kinds import (
    ANYTHING,
    INT64_MAX,
    INT64_MIN,
    KEY_MAX,
    KINDS,
    Unfit,
    has_digits,
    has_json_type,
    has_places,
    in_places,
    is_countable,
    is_short,
    parse_json,
)
from sternpost.plan.model import FieldPlan, Kind, ListOf, MapOf, ObjectOf, PayloadPlan, ResourcePlan
from sternpost.ports.storage import Document

_MISSING: Any = object()
_SURROGATE = re.compile("[\ud800-\udfff]")


class Checks:
    """Checks values against the fields of a plan. What does not fit is the author's mistake: `TypeError` or
    `ValueError`. The texts name the field and the type, and never the value: it may be one that no log may hold."""

    def __init__(self, instances: Instances) -> None:
        self.instances = instances

    def stored(self, resource: ResourcePlan, field: FieldPlan, value: Any) -> Any:
        """A value to be written."""
        if value is None:
            return None
        found = self.checked(resource, field, value)
        if isinstance(found, Decimal):
            name = f"{resource.name}.{field.name}"
            if not has_digits(field, found):
                raise ValueError(f"{name}: the value has more than {field.max_digits} digits")
            if not has_places(found, field.decimal_places):
                raise ValueError(f"{name} has {field.decimal_places} decimal places, the value has more")
        return found

    def answer(self, payload: PayloadPlan, returned: Any) -> Document:
        """What an author's function returned, as the document of its declared output. Only declared fields leave.

        Raises:
            RuntimeError: it does not fit, which is the author's mistake; the member is named, not its value.
        """
        return {field.public_name: self._given(payload, field, returned) for field in payload.fields}

    def _given(self, payload: PayloadPlan, field: FieldPlan, returned: Any) -> Any:
        """One member of an output. Raises as `answer`."""
        if not (field.required or hasattr(returned, field.name)):
            return field.default
        value = getattr(returned, field.name, _MISSING)
        if value is _MISSING:
            problem = "the function returned an object without it"
            raise RuntimeError(f"{payload.name}.{field.name} does not fit its declaration: {problem}")
        return self.fitting(payload, field, value)

    def fitting(self, owner: ResourcePlan | PayloadPlan, field: FieldPlan, value: Any) -> Any:
        """A value that an author's function has made, as a document has it. Raises as `answer`."""
        problem = None
        if value is None:
            problem = None if field.nullable else "it is None"
        elif field.choices and value not in field.choices:
            problem = f"it is none of {', '.join(field.choices)}"
        else:
            try:
                return self._ready(owner, field, value, rounded=True)
            except (TypeError, ValueError, SternpostError):
                problem = f"it is {type(value).__name__}, or out of range, and {field.kind} is declared"
        if problem is not None:
            raise RuntimeError(f"{owner.name}.{field.name} does not fit its declaration: {problem}")
        return None

    def checked(self, resource: ResourcePlan | PayloadPlan, field: FieldPlan, value: Any) -> Any:
        """A value in the pipeline's form, of its field's type."""
        name = f"{resource.name}.{field.name}"
        if field.kind == "id" or field.references is not None:
            return self.instances.from_author(field, value)
        if field.structure is not None:
            return self._structured(resource, field, value)
        if not has_json_type(value, field):
            wanted = "dict" if field.json_type == "object" else "list"
            raise TypeError(f"{name} takes {wanted}, not {type(value).__name__}")
        if field.kind == "json":
            try:
                return parse_json(value)
            except Unfit as error:
                raise ValueError(f"{name} is no JSON that both databases and clients get back: {error}") from None
        wanted = KINDS[field.kind].types
        wrong_bool = isinstance(value, bool) and field.kind != "boolean"
        wrong_date = isinstance(value, datetime) and field.kind == "date"
        if not isinstance(value, wanted) or wrong_bool or wrong_date:
            raise TypeError(f"{name} takes {_named(wanted)}, not {type(value).__name__}")
        problem = _PROBLEMS.get(field.kind)
        wrong = problem(field, value) if problem else None
        if wrong:
            raise ValueError(f"{name}: the value {wrong}")
        if field.kind == "number":
            return float(cast("Any", value))  # as both databases keep it: a driver may refuse a whole number
        return Decimal(cast("Any", value)) if field.kind == "decimal" else value

    def _structured(self, resource: ResourcePlan | PayloadPlan, field: FieldPlan, value: Any) -> Any:
        """Lists, dictionaries and objects, each part of them JSON-ready."""
        path = f"{resource.name}.{field.name}"
        match field.structure:
            case ListOf(items, least, most):
                if not isinstance(value, list | tuple):
                    raise TypeError(f"{path} takes list, not {type(value).__name__}")
                parts = cast("Sequence[Any]", value)
                _check_count(path, len(parts), least, most)
                return [self._part(resource, items, f"{field.name}.{index}", part) for index, part in enumerate(parts)]
            case MapOf(values, least, most):
                if not isinstance(value, dict):
                    raise TypeError(f"{path} takes dict, not {type(value).__name__}")
                named = cast("dict[Any, Any]", value)
                _check_count(path, len(named), least, most)
                if not all(isinstance(name, str) and len(name) <= KEY_MAX for name in named):
                    raise TypeError(f"{path}: each name has to be a str of at most {KEY_MAX} characters")
                return {name: self._part(resource, values, f"{field.name}.*", part) for name, part in named.items()}
            case ObjectOf(payloads):
                payload = next(
                    (each for each in payloads if isinstance(value, self.instances.classes[each.name])), None
                )
                if payload is None:
                    wanted = " or ".join(each.name for each in payloads)
                    raise TypeError(f"{path} takes {wanted}, not {type(value).__name__}")
                return self._object(payload, field.name, value)
            case None:
                raise AssertionError("it has no parts")

    def _object(self, payload: PayloadPlan, name: str, value: Any) -> Document:
        document: Document = {}
        for field in payload.fields:
            if field.required and not hasattr(value, field.name):
                raise TypeError(f"{name}: the {payload.name} has no value for {field.name}")
            if hasattr(value, field.name):
                found = getattr(value, field.name)
                document[field.public_name] = self._part(payload, field, f"{name}.{field.name}", found)
            else:
                document[field.public_name] = field.default
        return document

    def _part(self, resource: ResourcePlan | PayloadPlan, field: FieldPlan, name: str, value: Any) -> Any:
        """A value within another one, JSON-ready."""
        if value is None:
            if not field.nullable:
                raise TypeError(f"{resource.name}.{name} may not be None")
            return None
        return self._ready(resource, replace(field, name=name), value)

    def _ready(
        self, resource: ResourcePlan | PayloadPlan, field: FieldPlan, value: Any, *, rounded: bool = False
    ) -> Any:
        """A value as a document holds it; with `rounded` a decimal may have more places than its field."""
        found = self.checked(resource, field, value)
        if field.structure is not None:
            return found
        if rounded and isinstance(found, Decimal) and field.decimal_places is not None:
            found = in_places(found, field.decimal_places)
        return KINDS[field.kind].write(field, _within_limits(resource, field, found))


def _check_count(path: str, count: int, least: int, most: int) -> None:
    if not least <= count <= most:
        raise ValueError(f"{path} takes {least} to {most} items, not {count}")


def _within_limits(resource: ResourcePlan | PayloadPlan, field: FieldPlan, value: Any) -> Any:
    """The same value. Raises `ValueError` where its field limits it to others: no column does it for a part of JSON."""
    limited = field.kind != ANYTHING and KINDS[field.kind].constant(value, field) is None
    if limited:
        raise ValueError(f"{resource.name}.{field.name}: the value is not within the limits of its declaration")
    return value


def _named(types: tuple[type, ...]) -> str:
    return " or ".join(kind.__name__ for kind in types)


def _text(field: FieldPlan, value: Any) -> str | None:
    if "\0" in value:
        return "holds a NUL character, which databases do not keep"
    return None if value.isascii() or not _SURROGATE.search(value) else "holds a lone surrogate, which is no text"


def _integer(field: FieldPlan, value: Any) -> str | None:
    return None if INT64_MIN <= value <= INT64_MAX else "does not fit into 64 bits"


def _number(field: FieldPlan, value: Any) -> str | None:
    try:
        return None if math.isfinite(value) else "is not finite"
    except OverflowError:
        return "does not fit into 64 bits"


def _decimal(field: FieldPlan, value: Any) -> str | None:
    if not Decimal(value).is_finite():
        return "is not finite"
    return None if is_short(Decimal(value)) else f"has more than {field.max_digits} digits"


def _instant(field: FieldPlan, value: Any) -> str | None:
    if value.utcoffset() is None:
        return "has no time zone: give it tzinfo=UTC"
    try:
        value.astimezone(UTC)
    except OverflowError:
        return "is before the year 1 or after the year 9999 in UTC"
    return None


def _choice(field: FieldPlan, value: Any) -> str | None:
    return None if value in field.choices else f"is none of {', '.join(field.choices)}"


def _time(field: FieldPlan, value: Any) -> str | None:
    return None if value.tzinfo is None else "has a time zone: a time of day has none"


def _duration(field: FieldPlan, value: Any) -> str | None:
    return None if is_countable(value) else "is longer than 100,000,000 days"


def _address(field: FieldPlan, value: Any) -> str | None:
    return "has a zone" if getattr(value, "scope_id", None) is not None else None


_PROBLEMS: dict[Kind, Callable[[FieldPlan, Any], str | None]] = {
    "string": _text,
    "integer": _integer,
    "number": _number,
    "decimal": _decimal,
    "datetime": _instant,
    "time": _time,
    "duration": _duration,
    "ip": _address,
    "enum": _choice,
}

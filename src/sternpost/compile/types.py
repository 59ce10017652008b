"""What an annotation says: from `str | None`, `Literal[…]` or `One["User"]` to the kind of a field or relation."""

from __future__ import annotations

import enum
import sys
import types
import typing
from dataclasses import dataclass
from typing import Any, ForwardRef, Literal, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.options import is_whole, shown
from sternpost.compile.patterns import wrong_pattern
from sternpost.contract.fields import FieldDeclaration
from sternpost.contract.relations import Many, One, Owned
from sternpost.contract.resource import Declaration, Resource
from sternpost.contract.source import attribute_source
from sternpost.contract.types import Format, Json
from sternpost.kinds import KINDS, JsonType
from sternpost.plan.model import Kind

SCALARS: dict[Any, Kind] = {kind.declared_as: kind.name for kind in KINDS.values() if kind.declared_as is not None}
SUPPORTED = (
    "str, int, float, bool, Decimal, datetime, date, time, timedelta, bytes, UUID, Email, Url, Slug, IPAddress, Json, "
    "Literal[…], a StrEnum, "
    "One[…], Many[…], Owned[…]"
)

ELEMENTS: dict[Any, Kind] = {str: "string", int: "integer", float: "number", bool: "boolean"}
"""What the elements of a column that holds a list may be."""

LISTS_FIX = (
    "use Json for any JSON value, dict[str, Any] for any object, list[Any] for any list, or a resource of its own with "
    "Many[…] or Owned[…]; for a column with an array in an external database write list[str], list[int], list[float] "
    'or list[bool] with field(storage="array")'
)


@dataclass(frozen=True, slots=True)
class FieldType:
    """The type of a value."""

    kind: Kind
    nullable: bool
    choices: tuple[str, ...] = ()
    format: Format | None = None
    json_type: JsonType | None = None
    element: Kind | None = None
    null_elements: bool = False


@dataclass(frozen=True, slots=True)
class RelationType:
    """The type of a relation: which of the three, and the name of the other resource."""

    form: Literal["one", "many", "owned"]
    target: str
    nullable: bool


def read_type(
    declaration: Declaration, name: str, resources: dict[str, type], report: Report
) -> FieldType | RelationType | None:
    """The meaning of one annotation, or None after a diagnostic."""
    annotation = declaration.annotations[name]
    where = attribute_source(declaration.source, declaration.name, name)
    try:
        resolved = _resolve(annotation, declaration, resources)
    except Exception as error:  # noqa: BLE001 - an annotation is the author's code: whatever it raises is one more diagnostic
        report.add(
            where,
            "SP201",
            f"{declaration.name}.{name}: the type {annotation!r} cannot be resolved ({error})",
            "import the name, or correct its spelling",
        )
        return None
    inner, nullable = _without_none(resolved)
    relation = _relation(inner, nullable)
    if relation is not None and relation.nullable and relation.form != "one":
        report.add(
            where,
            "SP202",
            f"{declaration.name}.{name}: a list relation cannot be None",
            "remove | None; without rows the list is empty",
        )
        return None
    if relation is not None:
        return relation
    found = _elements(inner, nullable) if _is_array(declaration, name) else _scalar(inner, nullable)
    if found is None and (typing.get_origin(inner) in (list, dict) or inner in (list, dict)):
        report.add(
            where, "SP202", f"{declaration.name}.{name}: the type {_shown(resolved)} is not supported", LISTS_FIX
        )
        return None
    if found is None:
        report.add(
            where,
            "SP202",
            f"{declaration.name}.{name}: the type {_shown(resolved)} is not supported",
            f"use one of {SUPPORTED}; all but Many and Owned may be combined with | None",
        )
        return None
    wrong = _wrong_format(found)
    if wrong is not None:
        report.add(
            where,
            "SP220",
            f"{declaration.name}.{name}: {wrong}",
            'write Annotated[str, Format("name", "^[a-z]+$", 100)]',
        )
        return None
    if found.kind == "enum" and not found.choices:
        report.add(
            where,
            "SP218",
            f"{declaration.name}.{name}: the enum {_shown(inner)} is empty or has values that are not strings",
            "give every member a string value, such as Literal['draft', 'paid'] or a StrEnum",
        )
        return None
    return found


def _resolve(annotation: Any, declaration: Declaration, resources: dict[str, type]) -> Any:
    module = sys.modules.get(declaration.cls.__module__)
    names: dict[str, Any] = {**resources, **declaration.namespace}
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if isinstance(annotation, str):
        return eval(annotation, dict(vars(module)) if module else {}, names)  # noqa: S307  (the author's own source text)
    return annotation


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if annotation == Json:
        return annotation, True  # null is one of the enum's values
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        arguments = typing.get_args(annotation)
        rest = [argument for argument in arguments if argument is not type(None)]
        if rest and len(rest) < len(arguments):
            return typing.Union[tuple(rest)], True  # noqa: UP007  (of any number)
    return annotation, False


def _relation(annotation: Any, nullable: bool) -> RelationType | None:
    forms: dict[Any, Literal["one", "many", "owned"]] = {One: "one", Many: "many", Owned: "owned"}
    form = forms.get(typing.get_origin(annotation))
    if form is None:
        return None
    target = typing.get_args(annotation)[0]
    if isinstance(target, ForwardRef):
        target = target.__forward_arg__
    name = cast("str", target if isinstance(target, str) else getattr(target, "__name__", str(target)))
    return RelationType(form, name, nullable)


def _scalar(annotation: Any, nullable: bool) -> FieldType | None:
    if annotation == Json or annotation is Any:
        return FieldType("json", nullable)
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        base, *metadata = typing.get_args(annotation)
        formats = [item for item in metadata if isinstance(item, Format)]
        found = _scalar(base, nullable)
        if found is None or not formats:
            return found
        return FieldType(found.kind, nullable, found.choices, formats[0])
    if origin is Literal:
        return FieldType("enum", nullable, _choices(typing.get_args(annotation)))
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return FieldType("enum", nullable, _choices(tuple(member.value for member in annotation)))
    json_type = _json_type(annotation)
    if json_type is not None:
        return FieldType("json", nullable, json_type=json_type)
    try:
        kind = SCALARS.get(annotation)
    except TypeError:  # unhashable, so not a supported type
        return None
    return FieldType(kind, nullable) if kind else None


def _is_array(declaration: Declaration, name: str) -> bool:
    """Whether a field is declared as a column of an external database that holds a list."""
    declared = declaration.attributes.get(name)
    is_stored = isinstance(declared, FieldDeclaration) and declared.options.get("storage") == "array"
    return is_stored and issubclass(declaration.cls, Resource)


def _elements(annotation: Any, nullable: bool) -> FieldType | None:
    """A list of elements of one kind; of JSON nothing is said."""
    if typing.get_origin(annotation) is not list:
        return _scalar(annotation, nullable) if annotation == Json else None
    inner, null_elements = _without_none(typing.get_args(annotation)[0])
    kind = ELEMENTS.get(inner) if isinstance(inner, type) else None
    return FieldType("json", nullable, json_type="array", element=kind, null_elements=null_elements) if kind else None


def _json_type(annotation: Any) -> JsonType | None:
    """JSON that is an object or a list, of which nothing more is said."""
    origin, arguments = typing.get_origin(annotation) or annotation, typing.get_args(annotation)
    if origin is dict and arguments in ((), (str, Any)):
        return "object"
    return "array" if origin is list and arguments in ((), (Any,)) else None


def _wrong_format(found: FieldType) -> str | None:
    """What is wrong with an author's own `Format`, or None."""
    given = found.format
    if given is None:
        return None
    if KINDS[found.kind].declared_as is not str:
        return f"a Format can only be used with str, but the type of this field is {found.kind}"
    if not (isinstance(given.name, str) and is_whole(given.max_length) and given.max_length > 0):  # pyright: ignore[reportUnnecessaryIsInstance]
        return f"{shown(given)} needs a name (a string) and a max_length of at least 1"
    reason = wrong_pattern(given.pattern)
    return f"the pattern of the format {given.name} cannot be used: {reason}" if reason else None


def _choices(values: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(values) if values and all(isinstance(value, str) for value in values) else ()


def _shown(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")

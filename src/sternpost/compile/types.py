"""What an annotation says: from `str | None`, `Literal[…]` or `One["User"]` to the kind of a field or relation."""

from __future__ import annotations

import enum
import sys
import types
import typing
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ForwardRef, Literal, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.options import is_whole, shown
from sternpost.compile.patterns import wrong_pattern
from sternpost.contract.fields import FieldDeclaration
from sternpost.contract.relations import Many, One, Owned
from sternpost.contract.resource import Declaration, Payload, Resource
from sternpost.contract.source import attribute_source
from sternpost.contract.types import Format, Json
from sternpost.kinds import KINDS, JsonType
from sternpost.plan.model import Kind

SCALARS: dict[Any, Kind] = {kind.declared_as: kind.name for kind in KINDS.values() if kind.declared_as is not None}
SUPPORTED = (
    "str, int, float, bool, Decimal, datetime, date, time, timedelta, bytes, UUID, Email, Url, Slug, IPAddress, Json, "
    "Literal[…], a StrEnum, list[…], dict[str, …], a Payload, a union of Payloads, One[…], Many[…], Owned[…]"
)

ELEMENTS: dict[Any, Kind] = {str: "string", int: "integer", float: "number", bool: "boolean"}
"""What the elements of a column that holds an array may be."""

ARRAY_FIX = 'with storage="array" write list[str], list[int], list[float] or list[bool], with or without | None inside'


@dataclass(frozen=True, slots=True)
class FieldType:
    """The type of a value."""

    kind: Kind
    nullable: bool
    choices: tuple[str, ...] = ()
    format: Format | None = None
    json_type: JsonType | None = None
    items: FieldType | None = None
    """What a list consists of, or the values of a dictionary."""
    payloads: tuple[type[Payload], ...] = ()
    """What an object is: one of these."""

    @property
    def leaf(self) -> FieldType:
        """What stands in lists and dictionaries."""
        return self if self.items is None else self.items.leaf


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
        resolver = _resolver(declaration, resources)
        resolved = resolver(annotation)
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
    is_array = _is_array(declaration, name)
    found = _elements(inner, nullable) if is_array else _scalar(inner, nullable, resolver)
    if found is None:
        report.add(
            where,
            "SP202",
            f"{declaration.name}.{name}: the type {_shown(resolved)} is not supported",
            ARRAY_FIX if is_array else f"use one of {SUPPORTED}; all but Many and Owned may be combined with | None",
        )
        return None
    wrong = _wrong_format(found.leaf)
    if wrong is not None:
        report.add(
            where,
            "SP220",
            f"{declaration.name}.{name}: {wrong}",
            'write Annotated[str, Format("name", "^[a-z]+$", 100)]',
        )
        return None
    if found.leaf.kind == "enum" and not found.leaf.choices:
        report.add(
            where,
            "SP218",
            f"{declaration.name}.{name}: {_shown(_innermost(inner))} is empty, or has values that are no strings",
            "give every member a string value, such as Literal['draft', 'paid'] or a StrEnum",
        )
        return None
    return found


Resolve = Callable[[Any], Any]
"""Makes a type of an annotation that may be source text."""


def _resolver(declaration: Declaration, resources: dict[str, type]) -> Resolve:
    module = sys.modules.get(declaration.cls.__module__)
    names: dict[str, Any] = {**resources, **declaration.namespace}

    def resolve(annotation: Any) -> Any:
        if isinstance(annotation, ForwardRef):
            annotation = annotation.__forward_arg__
        if isinstance(annotation, str):
            return eval(annotation, dict(vars(module)) if module else {}, names)  # noqa: S307  (the author's own source text)
        return annotation

    return resolve


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


def _scalar(annotation: Any, nullable: bool, resolve: Resolve) -> FieldType | None:
    """The type of a value, which may consist of others."""
    if annotation == Json or annotation is Any:
        return FieldType("json", nullable)
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        base, *metadata = typing.get_args(annotation)
        formats = [item for item in metadata if isinstance(item, Format)]
        found = _scalar(base, nullable, resolve)
        if found is None or not formats:
            return found
        return replace(found, format=formats[0])
    if origin is Literal:
        return FieldType("enum", nullable, _choices(typing.get_args(annotation)))
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return FieldType("enum", nullable, _choices(tuple(member.value for member in annotation)))
    json_type = _json_type(annotation)
    if json_type is not None:
        return FieldType("json", nullable, json_type=json_type)
    if origin in (list, dict):
        return _container(annotation, nullable, resolve)
    payloads = _payloads(annotation)
    if payloads:
        return FieldType("json", nullable, json_type="object", payloads=payloads)
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
        return FieldType("json", nullable) if annotation == Json else None
    inner, null_elements = _without_none(typing.get_args(annotation)[0])
    kind = ELEMENTS.get(inner) if isinstance(inner, type) else None
    return FieldType("json", nullable, json_type="array", items=FieldType(kind, null_elements)) if kind else None


def _container(annotation: Any, nullable: bool, resolve: Resolve) -> FieldType | None:
    """A list of values of one type, or a dictionary of them."""
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is dict:
        if arguments[0] is not str:
            return None
        form, inner = "object", arguments[1]
    else:
        form, inner = "array", arguments[0]
    value, null_items = _without_none(resolve(inner))
    items = _scalar(value, null_items, resolve)
    return items and FieldType("json", nullable, json_type=form, items=items)


def _payloads(annotation: Any) -> tuple[type[Payload], ...]:
    """The payloads that an annotation names: one, or several in a union; none where it names anything else."""
    is_union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    named = typing.get_args(annotation) if is_union else (annotation,)
    return named if all(isinstance(each, type) and issubclass(each, Payload) for each in named) else ()


def _innermost(annotation: Any) -> Any:
    """The type within lists and dictionaries."""
    if typing.get_origin(annotation) not in (list, dict):
        return annotation
    return _innermost(_without_none(typing.get_args(annotation)[-1])[0])


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

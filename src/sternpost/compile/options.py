"""Checks the types of options before anything else uses them; options of a wrong type are reported and ignored."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sternpost.contract.fields import FieldDeclaration
from sternpost.contract.operations import Operation, RelatedField
from sternpost.contract.policy import Policy, PolicyPath
from sternpost.contract.relations import RelationDeclaration

SHOWN_MAX = 80
"""Characters of a value in a message."""

DATABASE_NAME_MAX = 128
"""Characters of the name of a table or column."""

LABEL_MAX = 200
"""Characters of the label of a value."""

SCOPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._/-]*")
"""The name of a scope."""

SECONDS_MAX = 86_400 * 365
"""The longest time limit in seconds. Infinity and NaN are not allowed, because waiting for them fails."""

Add = Callable[[str, str, str, str], None]
"""Reports a mistake in an option: its name (none for all of the declaration), the code, the message and the fix."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What the value of an option must be.

    Attributes:
        must_be: the end of the message, after "is not".
        example: a valid value, as source text.
    """

    code: str
    must_be: str
    example: str
    fits: Callable[[Any], bool]


def well_typed(options: Mapping[str, Any], shapes: Mapping[str, Shape], add: Add) -> dict[str, Any]:
    """The options without those of a wrong type; each of these is reported."""
    kept: dict[str, Any] = {}
    for name, value in options.items():
        shape = shapes.get(name)
        hidden = hidden_by(value)
        if hidden is not None:
            add(name, *hidden)
        elif shape is None or (not isinstance(value, PolicyPath) and shape.fits(value)):
            kept[name] = value
        else:
            add(name, shape.code, f"{name}={shown(value)} is not {shape.must_be}", f"write {name}={shape.example}")
    return kept


def shown(value: object) -> str:
    """A value in a message: as the author wrote it, shortened."""
    match value:
        case type():
            return value.__name__
        case Operation():
            return f"{type(value).__name__}(…)"
        case FieldDeclaration():
            return "field(…)"
        case RelationDeclaration():
            return f"{value.form}(…)"
        case Policy() | PolicyPath():
            return _short(value)
        case _ if callable(value):
            return str(getattr(value, "__name__", type(value).__name__))
        case _:
            return _short(value)


def hidden_by(value: object) -> tuple[str, str, str] | None:
    """Code, message and fix where a declaration of the class was used in place of what it hides, else None."""
    if isinstance(value, Policy) and value.kind == "invalid":
        (value,) = value.parts
    if not isinstance(value, FieldDeclaration | RelationDeclaration) or not value.name:
        return None
    name, what = value.name, "field" if isinstance(value, FieldDeclaration) else "relation"
    return (
        "SP223",
        f"the {what} {name} hides what is called {name} outside of the class, which is not used here",
        f"give that another name, such as {name}_policy"
        if name not in _NAMES
        else f"import that by another name, such as from sternpost import {name} as {name}_of_sternpost",
    )


_NAMES = frozenset(
    {
        *("authenticated", "caller", "computed", "count_of", "exists_of", "field", "in_python", "latest_of", "many"),
        *("one", "public", "scope", "sum_of", "this"),
    }
)
"""What contracts import from `sternpost` by a name that a field could have."""


def _short(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  (an author's __repr__; the message about the value matters more)
        text = f"a {type(value).__name__}"
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"


def is_names(value: object) -> bool:
    """Whether it is a list of strings. A single string is not, although Python can iterate over it."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        return False
    return all(isinstance(item, str) for item in cast("Sequence[object]", value))


def is_database_name(value: object) -> bool:
    """Whether an external database may have a table or column of this name."""
    return isinstance(value, str) and 0 < len(value) <= DATABASE_NAME_MAX and value.isprintable()


def is_whole(value: object) -> bool:
    """Whether it is a whole number. True and False do not count, although they are integers in Python."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_seconds(value: object) -> bool:
    """Whether it is a time in seconds that can be waited for."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= SECONDS_MAX


def scope_of(value: object) -> str | None:
    """The scope's name, where it is a policy that is one scope."""
    if not (isinstance(value, Policy) and value.kind == "scope"):
        return None
    name = value.parts[0]
    return name if isinstance(name, str) and SCOPE.fullmatch(name) else None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def is_flag(value: object) -> bool:
    """Whether it is True or False, and not something that only counts as one."""
    return isinstance(value, bool)


def _is_label(item: tuple[object, object]) -> bool:
    value, label = item
    if not isinstance(value, str) or not isinstance(label, str):
        return False
    return len(label.strip()) > 0 and len(label) <= LABEL_MAX and label.isprintable()


_TEXT = Shape("SP216", "a string", '"…"', _is_text)
FLAG = Shape("SP216", "True or False", "True", is_flag)
_FILTER = Shape(
    "SP214", "True, False or a list of operators", '["eq"]', lambda value: is_flag(value) or is_names(value)
)
_SORT = Shape("SP404", "a list of field names", '["name"]', is_names)
_PAGE = Shape("SP405", "a whole number", "20", is_whole)
_ITEMS = Shape("SP310", "a whole number", "10", is_whole)
_SECONDS = Shape("SP412", "a positive number of seconds", "5", lambda value: value is None or is_seconds(value))

_COLUMN = Shape("SP221", "the name of a column", '"AlbumId"', lambda value: value is None or is_database_name(value))

FIELD: dict[str, Shape] = {
    "ordered": FLAG,
    "labels": Shape(
        "SP226",
        f"a dictionary of each value and its label, a line of at most {LABEL_MAX} characters",
        '{"low": "Can wait"}',
        lambda value: (
            value is None or (isinstance(value, dict) and all(map(_is_label, cast("dict[Any, Any]", value).items())))
        ),
    ),
    "unique": Shape("SP216", 'True, False or "nocase"', "True", lambda value: is_flag(value) or value == "nocase"),
    "sensitive": FLAG,
    "filter": _FILTER,
    "description": _TEXT,
    "column": _COLUMN,
}
ONE: dict[str, Shape] = {"unique": FLAG, "filter": _FILTER, "description": _TEXT, "column": _COLUMN}
MANY: dict[str, Shape] = {
    "min_length": _ITEMS,
    "max_length": Shape("SP310", "a whole number", "10", lambda value: value is None or is_whole(value)),
    "write": Shape(
        "SP216",
        '"always", "never" or a scope',
        '"always"',
        lambda value: value in ("always", "never") or scope_of(value) is not None,
    ),
    "route": FLAG,
    "description": _TEXT,
    "columns": Shape(
        "SP312",
        "a list of two columns",
        '["PlaylistId", "TrackId"]',
        lambda value: value is None or (is_names(value) and len(value) == 2 and all(map(is_database_name, value))),
    ),
}
OPERATION: dict[str, Shape] = {
    "summary": _TEXT,
    "timeout": _SECONDS,
    "page_size": _PAGE,
    "max_page_size": _PAGE,
    "sort": _SORT,
    "default_sort": _SORT,
    "export": FLAG,
    "status": Shape(
        "SP427",
        "a status from 200 to 299",
        "202",
        lambda value: value is None or (is_whole(value) and 200 <= value <= 299 and value not in (205, 206)),
    ),
    "max_items": Shape(
        "SP405", "a whole number from 1 to 1000", "100", lambda value: is_whole(value) and 1 <= value <= 1000
    ),
    "headers": Shape(
        "SP428",
        "a dictionary of names of headers and what they tell",
        '{"Retry-After": "seconds until it is done"}',
        lambda value: (
            isinstance(value, dict)
            and all(isinstance(each, str) for item in cast("dict[Any, Any]", value).items() for each in item)
        ),
    ),
    "example": Shape(
        "SP431",
        "a dictionary by names of fields",
        '{"name": "Ada"}',
        lambda value: isinstance(value, dict) and is_names([*cast("dict[Any, Any]", value)]),
    ),
    "errors": Shape(
        "SP426",
        "a list of classes of errors",
        "[OutOfStock]",
        lambda value: isinstance(value, list | tuple) and all(isinstance(each, type) for each in cast("Any", value)),
    ),
    "filter": Shape(
        "SP424",
        "a list of paths to fields, or of related(…)",
        '["user.name"]',
        lambda value: (
            isinstance(value, list | tuple)
            and all(isinstance(each, str | RelatedField) for each in cast("Sequence[Any]", value))
        ),
    ),
    "or_groups": Shape("SP425", "a whole number from 0 to 10", "3", lambda value: is_whole(value) and 0 <= value <= 10),
}
CONTRACT: dict[str, Shape] = {
    **{name: Shape("SP008", "a string", '"…"', _is_text) for name in ("title", "description", "version", "license")},
    "batch_max": Shape(
        "SP020", "a whole number from 0 to 1000", "50", lambda value: is_whole(value) and 0 <= value <= 1000
    ),
}

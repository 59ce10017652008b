"""Fields: what is said about one value of a resource."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Final, Literal


class Unset:
    """Stands for "nothing was declared", where None would be a value."""

    def __repr__(self) -> str:
        return "unset"


UNSET: Final = Unset()


@dataclass(frozen=True, slots=True)
class SumOf:
    """The sum, over an owned list, of the product of some of each item's fields."""

    relation: str
    factors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldDeclaration:
    """The options of one `field(…)` or `computed(…)`, exactly as they were given."""

    options: dict[str, Any] = dataclass_field(default_factory=dict[str, Any])
    computed: Any = UNSET
    """What `computed(…)` was given: a `SumOf`."""


def field(
    *,
    default: Any = UNSET,
    unique: bool = False,
    min_length: int | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
    ge: Any = None,
    le: Any = None,
    decimal_places: int | None = None,
    max_digits: int | None = None,
    write: Literal["always", "create", "never"] = "always",
    read: str | None = None,
    sensitive: bool = False,
    filter: bool | Sequence[str] = False,
    auto: Literal["created", "updated", "version", "database"] | None = None,
    description: str = "",
    column: str | None = None,
    storage: str | None = None,
) -> Any:
    """Declares one value.

    Args:
        default: the value of an input that does not send it; without one (and without `| None`) it is required.
        unique: no two rows may have the same value; a second one is answered 409, naming the field.
        min_length, max_length: of a string, in characters.
        pattern: a regular expression that a string must match (in the subset that Python, Rust and ECMAScript share).
        ge, le: least and greatest number, date or instant.
        decimal_places, max_digits: of a `Decimal`; places are required, digits are at most 18.
        write: who sets it: clients always, clients at creation only, or never a client.
        read: the scope a token needs to see the field at all.
        sensitive: masked in logs.
        filter: allows it as a filter in lists; a list of operators narrows which.
        auto: the server sets it to the time of creation, or of the last change. `version`: it counts the changes of a
            row, and answers carry it as an ETag. `database`: the database fills it in where a client sends nothing.
        description: for the API documentation.
        column: its column, where that has another name.
        storage: how an external database keeps it, where there are several ways, such as `timestamp` for instants in
            UTC without their zone. On `id`: `integer`, `uuid` or `text`.
    """
    given = {
        "default": default,
        "unique": unique,
        "min_length": min_length,
        "max_length": max_length,
        "pattern": pattern,
        "ge": ge,
        "le": le,
        "decimal_places": decimal_places,
        "max_digits": max_digits,
        "write": write,
        "read": read,
        "sensitive": sensitive,
        "filter": filter,
        "auto": auto,
        "description": description,
        "column": column,
        "storage": storage,
    }
    return FieldDeclaration(given)


def computed(
    value: SumOf,
    *,
    read: str | None = None,
    filter: bool | Sequence[str] = False,
    description: str = "",
) -> Any:
    """Declares a value that the server computes whenever what it depends on is written. No client can set it."""
    return FieldDeclaration(
        {"default": 0, "write": "never", "read": read, "filter": filter, "description": description}, computed=value
    )


def sum_of(relation: str, *factors: str) -> SumOf:
    """The sum over an owned list: `sum_of("items", "quantity", "unit_price")` adds up quantity × unit_price."""
    return SumOf(relation, factors)

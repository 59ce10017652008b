"""Fields: the declaration of one value of a resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Final, Literal

from sternpost.contract.policy import HidesPolicies, Policy


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
class FieldDeclaration(HidesPolicies):
    """The options of one `field(…)` or `computed(…)`, exactly as they were given."""

    options: dict[str, Any] = dataclass_field(default_factory=dict[str, Any])
    computed: Any = UNSET
    """What `computed(…)` was given: a `SumOf`."""
    name: str = dataclass_field(default="", compare=False)

    def __set_name__(self, owner: type, name: str) -> None:
        object.__setattr__(self, "name", name)

    def _is_declared(self) -> bool:
        return self.name != ""


def field(
    *,
    default: Any = UNSET,
    unique: bool | Literal["nocase"] = False,
    min_length: int | None = None,
    max_length: int | None = None,
    pattern: str | None = None,
    min_items: int | None = None,
    max_items: int | None = None,
    ge: Any = None,
    le: Any = None,
    decimal_places: int | None = None,
    max_digits: int | None = None,
    write: Literal["always", "create", "never"] | Policy | None = None,
    read: str | None = None,
    sensitive: bool = False,
    filter: bool | Sequence[str] = False,
    auto: Literal["created", "updated", "version", "database"] | None = None,
    labels: Mapping[str, str] | None = None,
    ordered: bool = False,
    description: str = "",
    example: Any = UNSET,
    column: str | None = None,
    storage: str | None = None,
) -> Any:
    """Declares one value.

    Args:
        default: the value if an input does not send the field; without one (and without `| None`) it is required.
        unique: no two rows may have the same value; a second one is answered 409, naming the field. With `"nocase"`
            text that differs in the case of ASCII letters alone is the same, to the filters eq, ne and in, too; an
            `Email` that is unique is so without saying.
        min_length, max_length: of a string, in characters, or of bytes; at most 10,000 where nothing is said, and
            1,000,000 in an external database. What limits a value limits each value in a list or a dictionary.
        min_items, max_items: of a list or a dictionary; at most 100 where nothing is said, and 10,000 in an external
            database.
        pattern: a regular expression that a string must match (in the subset that Python, Rust and ECMAScript share).
        ge, le: the smallest and the greatest allowed number, date or time.
        decimal_places, max_digits: of a `Decimal`; places are required, digits are at most 18. For an external database
            digits are at most 1,000, and `storage="numeric"` stands for a column whose values have places of their own.
        write: when clients may set it: `always` (which is the default), only at creation (`create`), or `never`; or
            the scope that a token needs to set it, such as `scope("hr")`. A field with `read` asks for that scope in
            order to be set, too, unless `write` is given.
        read: the scope that a token needs to see the field.
        sensitive: masked in logs.
        filter: whether lists can be filtered by it; a list of operators allows only those.
        auto: the server sets it to the time of creation, or of the last change. `version`: it counts the changes of a
            row, and answers carry it as an ETag. `database`: the database fills it in where a client sends nothing.
        labels: what people call each value of a `Literal[…]` or a `StrEnum`, such as `{"low": "Can wait", …}`: for the
            API documentation and the types of the data client.
        ordered: the values of a `Literal[…]` or a `StrEnum` have an order, that of their declaration: they are sorted
            by it, and compared by `gt`, `gte`, `lt` and `lte`.
        description: for the API documentation.
        example: a value that fits, for the API documentation, which fills in bodies with it.
        column: the name of its column, if different.
        storage: how an external database stores it, if there are several formats, such as `timestamp` for times in
            UTC without a zone. On `id`: `integer`, `uuid` or `text`.
    """
    given = {
        "default": default,
        "unique": unique,
        "min_length": min_length,
        "max_length": max_length,
        "pattern": pattern,
        "min_items": min_items,
        "max_items": max_items,
        "ge": ge,
        "le": le,
        "decimal_places": decimal_places,
        "max_digits": max_digits,
        "write": write,
        "read": read,
        "sensitive": sensitive,
        "filter": filter,
        "auto": auto,
        "labels": labels,
        "ordered": ordered,
        "description": description,
        "example": example,
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

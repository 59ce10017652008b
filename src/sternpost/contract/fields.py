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
class OverRows:
    """What is told of the rows of a list, exactly as it was declared; see `count_of`, `exists_of` and `latest_of`."""

    function: Literal["count", "exists", "latest"]
    relation: Any
    where: Any
    all: Any
    field: Any = None
    by: Any = None

    def __repr__(self) -> str:
        return f"{self.function}_of({self.relation!r}, …)"


@dataclass(frozen=True, slots=True)
class ByFunction:
    """That an author's function computes the value, exactly as it was declared; see `in_python`."""

    fields: tuple[Any, ...]
    all: Any

    def __repr__(self) -> str:
        return "in_python(…)"


@dataclass(frozen=True, slots=True)
class FieldDeclaration(HidesPolicies):
    """The options of one `field(…)` or `computed(…)`, exactly as they were given."""

    options: dict[str, Any] = dataclass_field(default_factory=dict[str, Any])
    computed: Any = UNSET
    """What `computed(…)` was given: a `SumOf`, an `OverRows` or a `ByFunction`."""
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
    value: SumOf | OverRows | ByFunction,
    *,
    read: str | None = None,
    filter: bool | Sequence[str] = False,
    min_length: int | None = None,
    max_length: int | None = None,
    ge: Any = None,
    le: Any = None,
    decimal_places: int | None = None,
    max_digits: int | None = None,
    description: str = "",
) -> Any:
    """Declares a value that the server computes. No client can set it.

    `sum_of` is computed whenever what it depends on is written, and stored. `count_of`, `exists_of`, `latest_of` and
    `in_python` are computed whenever the row is read: they have no column, and lists cannot be filtered or sorted by
    them.

    Args:
        read, description: as for `field`.
        filter: as for `field`, for `sum_of` alone.
        min_length, max_length, ge, le, decimal_places, max_digits: as for `field`, for `in_python` alone: what its
            function may give.
    """
    limits = {
        "min_length": min_length,
        "max_length": max_length,
        "ge": ge,
        "le": le,
        "decimal_places": decimal_places,
        "max_digits": max_digits,
    }
    given = {name: limit for name, limit in limits.items() if limit is not None}
    options = {"write": "never", "read": read, "filter": filter, "description": description, **given}
    if not isinstance(value, OverRows | ByFunction):
        options["default"] = 0
    return FieldDeclaration(options, computed=value)


def sum_of(relation: str, *factors: str) -> SumOf:
    """The sum over an owned list: `sum_of("items", "quantity", "unit_price")` adds up quantity × unit_price."""
    return SumOf(relation, factors)


def count_of(relation: str, *, where: Policy | None = None, all: bool = False) -> OverRows:
    """How many rows a list has: `visit_count: int = computed(count_of("visits"))`. Only those count that the caller may
    read.

    Args:
        where: which of them, as a condition on their own values: `where=this.status != "cancelled"`. `this` is the row
            of the list; it is compared with constants, with other values of its own, and with `now`.
        all: whether rows count that the caller may not read, and `where` may look at fields that they may not see.
    """
    return OverRows("count", relation, where, all)


def exists_of(relation: str, *, where: Policy | None = None, all: bool = False) -> OverRows:
    """Whether a list has a row: `has_open: bool = computed(exists_of("visits", where=this.status == "open"))`.

    Args:
        where, all: as for `count_of`.
    """
    return OverRows("exists", relation, where, all)


def latest_of(
    relation: str, field: str, *, by: str | None = None, where: Policy | None = None, all: bool = False
) -> OverRows:
    """A value of the row of a list that is the last in an order, or null where the list has no row:
    `last_visit: datetime | None = computed(latest_of("visits", "starts_at"))`.

    Args:
        field: the value.
        by: the field by which the last row is found: the one that has the greatest value there, and of several the one
            that was created last. The same as `field` where nothing is said.
        where, all: as for `count_of`.
    """
    return OverRows("latest", relation, where, all, field, by)


def in_python(*fields: str, all: bool = False) -> ByFunction:
    """A value that a function with `@computes` makes of rows: `age: int = computed(in_python("born_on"))`.

    Args:
        fields: what the function gets of each row, beside the id.
        all: whether these may be fields that who reads the value may not see.
    """
    return ByFunction(fields, all)

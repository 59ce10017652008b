"""Relations: how rows of one resource refer to rows of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Generic, Literal, TypeVar, overload

from sternpost.contract.fields import UNSET
from sternpost.contract.policy import HidesPolicies, Policy
from sternpost.errors import NotLoaded

T = TypeVar("T", covariant=True)  # noqa: PLC0105  (it shows in every author's editor)


class One(Generic[T]):
    """A reference to one row. In an author's code it knows the id, and the row where it was included."""

    __slots__ = ("_row", "id")

    def __init__(self, id: str, row: T | None = None) -> None:
        self.id = id
        self._row = row

    @property
    def row(self) -> T:
        """The row itself. Raises `NotLoaded` where it was not read: `include={"user": True}` reads it along."""
        if self._row is None:
            raise NotLoaded(
                f"The row {self.id} is not loaded. Include it: find(…, include={{…: True}}), or read it by its id."
            )
        return self._row

    def __repr__(self) -> str:
        return f"One({self.id!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, One) and self.id == other.id  # pyright: ignore[reportUnknownMemberType]

    def __hash__(self) -> int:
        return hash(self.id)


class _Rows(Sequence[T]):
    """Rows that were read; they cannot be changed here."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Sequence[T] = ()) -> None:
        self._rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[T]: ...
    def __getitem__(self, index: int | slice) -> T | Sequence[T]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[T]:
        return iter(self._rows)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._rows)!r})"


class Many(_Rows[T]):
    """The rows of another resource that refer to this one, or that are linked with it. Read with `include`."""

    __slots__ = ()


class Owned(_Rows[T]):
    """Rows that are part of this one: written with it in one transaction, read with it, deleted with it."""

    __slots__ = ()


@dataclass(slots=True)
class RelationDeclaration(HidesPolicies):
    """The options of one `one(…)` or `many(…)`, exactly as they were given."""

    form: Literal["one", "many"]
    options: dict[str, Any] = dataclass_field(default_factory=dict[str, Any])
    name: str = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def _is_declared(self) -> bool:
        return self.name != ""

    def __get__(self, instance: object, owner: type) -> RelationDeclaration:
        if instance is None:
            return self
        raise not_loaded(owner, self.name)


def not_loaded(owner: type, name: str) -> NotLoaded:
    """What touching a field or a relation raises that was not read."""
    return NotLoaded(
        f"{owner.__name__}.{name} is not loaded. Name a relation in include={{{name!r}: True}}, "
        f"or a field in fields=[…, {name!r}]."
    )


def one(
    *,
    on_delete: Literal["restrict", "cascade", "set_null"] = "restrict",
    default: Any = UNSET,
    write: Literal["always", "create", "never"] | Policy | None = None,
    read: str | None = None,
    filter: bool | Sequence[str] = False,
    unique: bool = False,
    link: Policy | None = None,
    auto: Literal["database"] | None = None,
    description: str = "",
    column: str | None = None,
    storage: str | None = None,
) -> Any:
    """Declares a reference to one row: `user: One[User] = one(…)` gives the field `user_id`.

    Args:
        on_delete: what happens when the other row is deleted: the deletion is refused (409), this row is deleted too,
            or the reference becomes null.
        default: `caller` for the id of the caller.
        write, read, filter, description: as for `field`.
        unique: at most one row refers to each (one to one).
        link: a policy on the other row, such as `public`: which rows an input may refer to. By default those that the
            caller may see; others are refused as if there were none.
        auto: `database`: the database fills it in where a client sends nothing.
        column: the column of the key, where that is not the relation's name with `_id`.
        storage: how an external database keeps the key, where that is not as the other table does.
    """
    return RelationDeclaration(
        "one",
        {
            "on_delete": on_delete,
            "default": default,
            "write": write,
            "read": read,
            "filter": filter,
            "unique": unique,
            "link": link,
            "auto": auto,
            "description": description,
            "column": column,
            "storage": storage,
        },
    )


def many(
    *,
    by: str | None = None,
    through: str | None = None,
    min_length: int = 0,
    max_length: int | None = None,
    write: Literal["always", "never"] | Policy = "always",
    link: Policy | None = None,
    route: bool = True,
    description: str = "",
    columns: Sequence[str] | None = None,
) -> Any:
    """Declares a list of rows: `Many[…]` for rows that stand by themselves, `Owned[…]` for parts of this one.

    Args:
        by: the `One[…]` of the other resource that points back; needed if there are several.
        through: makes it many-to-many; the name of the table that holds the pairs. Both sides name the same table.
        min_length, max_length: how many an input may send (owned lists, and ids of many-to-many ones), and how many
            an `include` gives at most. By default 100 for `Owned`, 1,000 for `Many`.
        write: whether an input may send the ids of a many-to-many relation: `always`, `never`, or the scope that a
            token needs for it.
        link: with `through`, which rows such an input may name, as for `one`.
        route: whether the list has its own address, `…/:id/orders`.
        description: for the API documentation.
        columns: with `through`, the column that points here and the one that points there, where they have other names.
    """
    return RelationDeclaration(
        "many",
        {
            "by": by,
            "through": through,
            "min_length": min_length,
            "max_length": max_length,
            "write": write,
            "link": link,
            "route": route,
            "description": description,
            "columns": columns,
        },
    )

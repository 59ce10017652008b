"""What operations take, what they give, and what can be asked of lists: made once from fields, relations and
operations.

A shape names fields and relations; what a value of a field may be stands in the field. Shapes are no part of
`plan.json`, because everything in them follows from what is (docs/decisions/shapes.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PAGE_MAX = 10_000_000
"""The last page that can be asked for by its number."""

SORTS_MAX = 20
"""Fields that one `sort` may name."""

IN_MAX = 100
"""Values that one `in` filter may list."""

OR_CONDITIONS_MAX = 20
"""Filters that all groups joined by "or" may have together."""

FIELDS_MAX = 200
"""Names that `fields` may list."""

INCLUDES_MAX = 20
"""Relations that one `include` may name."""

INCLUDE_DEPTH_MAX = 4
"""How far an `include` may follow relations."""

WRITABLE: dict[str, tuple[str, ...]] = {"create": ("always", "create"), "replace": ("always",), "update": ("always",)}
"""For each kind of operation that takes a row: the write rules of the fields that it takes."""


@dataclass(frozen=True, slots=True)
class Member:
    """A value in an input.

    Attributes:
        name: of its field.
        required: whether an input without it is refused.
        filled_in: whether the database has a value for it where it is left out.
        read_scope, write_scope: of its field.
        expected: whether those with both scopes must send it, although it is not `required` of everyone.
    """

    name: str
    public_name: str
    required: bool
    filled_in: bool = False
    read_scope: str | None = None
    write_scope: str | None = None
    expected: bool = False


@dataclass(frozen=True, slots=True)
class ListMember:
    """A list in an input: the items of an owned list, or the ids of linked rows.

    Attributes:
        name: of its relation.
        public_name: under which an input has it.
        target: the resource of its rows.
        required: whether an input without it is refused.
        items: what an item of an owned list is; None for a list of ids.
        write_scope: the scope a token needs to send it.
    """

    name: str
    public_name: str
    target: str
    required: bool
    min_items: int
    max_items: int
    items: InputShape | None
    write_scope: str | None = None


@dataclass(frozen=True, slots=True)
class InputShape:
    """What a client may send.

    Attributes:
        name: what documentation calls it, such as `OrderCreate`.
        read_only: names in JSON of what the server sets; an input that has one is told so.
        create_only: names in JSON of what clients set when they create a row, and never again.
        partial: whether everything may be left out, and what is left out stays as it is (a merge patch).
        from_caller: the fields that are the caller's own id where they are left out.
        keeps: whether what a caller can neither see nor set stays as it is where they leave it out.
    """

    name: str
    members: tuple[Member, ...]
    lists: tuple[ListMember, ...] = ()
    read_only: tuple[str, ...] = ()
    create_only: tuple[str, ...] = ()
    partial: bool = False
    from_caller: tuple[str, ...] = ()
    keeps: bool = False


@dataclass(frozen=True, slots=True)
class AuthoredRow:
    """What the author's own code may write of a row.

    Attributes:
        create: the fields of a new row; those that are required are so unless a relation gives them.
        update: the fields that a change may set.
    """

    create: tuple[Member, ...]
    update: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """A field that rows can be filtered by. With a `read_scope`, only callers who see the field can."""

    name: str
    public_name: str
    operators: tuple[str, ...]
    read_scope: str | None


@dataclass(frozen=True, slots=True)
class RelatedFilterShape:
    """A filter over a row that the listed ones refer to, or over a member of an object.

    Attributes:
        path: the references that lead to it, each with the resource that it leads to; the last has the field.
        public_path: the same, as clients name them, and what leads into an object.
        target: the resource of the field.
        value: the field; behind it, where it holds an object, the names of members.
        read_scopes: what a caller needs to follow them and to see the field; nothing where `all` counts.
        all: whether rows count that the caller may not read.
    """

    path: tuple[tuple[str, str], ...]
    public_path: tuple[str, ...]
    target: str
    value: tuple[str, ...]
    filter: Filter
    read_scopes: frozenset[str]
    all: bool


@dataclass(frozen=True, slots=True)
class RowsShape:
    """Which rows can be asked for, and in which order.

    Attributes:
        sorts: names in JSON of fields, each with the name of its field.
        related: filters over rows that these refer to.
        or_groups: how many groups of filters may be joined by "or".
        search: the fields that they can be searched in, each with its name in JSON.
    """

    filters: tuple[Filter, ...] = ()
    sorts: tuple[tuple[str, str], ...] = ()
    related: tuple[RelatedFilterShape, ...] = ()
    or_groups: int = 0
    search: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class QueryShape:
    """The parameters of a read.

    Attributes:
        rows: what a list can be filtered and sorted by; nothing where one row is read.
        page_size: of a list, where nothing is asked for; None where one row is read.
        includes: whether relations can be read along; which ones is told by the resource's output.
    """

    rows: RowsShape
    page_size: int | None
    max_page_size: int | None
    includes: bool


@dataclass(frozen=True, slots=True)
class OutputMember:
    """A value in an answer. With a `read_scope`, it is there for callers with that scope only."""

    name: str
    public_name: str
    read_scope: str | None


@dataclass(frozen=True, slots=True)
class OutputRelation:
    """A relation that can be read along; an owned list always is.

    Attributes:
        rows: what its rows can be filtered and sorted by; None where it is one row.
        read_scope: that of the reference that it follows, whichever side has it: only callers who may see which row
            refers to which can follow it.
    """

    name: str
    public_name: str
    kind: Literal["one", "many", "owned", "linked"]
    target: str
    max_items: int
    rows: RowsShape | None
    read_scope: str | None


@dataclass(frozen=True, slots=True)
class OutputShape:
    """What an answer holds of a row.

    Attributes:
        scopes: the read scopes of the resource and of what it owns: callers who agree in these see the same.
    """

    members: tuple[OutputMember, ...]
    relations: tuple[OutputRelation, ...]
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResourceShape:
    """What all operations of a resource have in common.

    Attributes:
        output: what they give.
        lists: the lists that are written with a row.
        authored: what the author's own code may write.
    """

    output: OutputShape
    lists: tuple[ListMember, ...]
    authored: AuthoredRow

"""What a client asks of a list or of one row, in no protocol's notation.

A protocol reads its own notation into parts; `selection` checks them against the contract. Each part has the name that
the client gave it, which is what errors call it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Path = tuple[str, ...]
"""Relations, by the names that clients know, from the resource that is asked for to another; empty for itself."""


@dataclass(frozen=True, slots=True)
class Page:
    """The number of a page; None for what is no whole number."""

    shown: str
    number: int | None


@dataclass(frozen=True, slots=True)
class PageSize:
    """How many rows a page has; None for what is no whole number."""

    shown: str
    rows: int | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """That the list goes on behind a place; which one is in `ListQuery.cursor`."""

    shown: str


@dataclass(frozen=True, slots=True)
class Count:
    """That the total is wanted, too."""

    shown: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Sort:
    """The order: `(field, descending)`, most significant first. With a path that of an included list."""

    shown: str
    path: Path
    fields: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Search:
    """What rows are searched for."""

    shown: str
    text: str


@dataclass(frozen=True, slots=True)
class Include:
    """Relations to read along."""

    shown: str
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields that are wanted; the last name of each is a field, or a relation as a whole."""

    shown: str
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Limit:
    """How many rows of an included list each row gets; None for what is no whole number."""

    shown: str
    path: Path
    rows: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a field. With a path it is about the rows of an included list.

    Attributes:
        operand: a value as text, in the form that JSON has for values of the field's kind; several for `in`; for
            `isNull` whether there is to be no value.
        problem: what is wrong with the operand, where the protocol cannot make one of what was sent.
    """

    shown: str
    path: Path
    name: str
    operator: str
    operand: str | tuple[str, ...] | bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Repeated:
    """A part that is given more than once."""

    shown: str


Named = Callable[[Path, str, str], str]
"""How the client would name a part: of the path, the field's or the part's name, and an operator."""

Part = Page | PageSize | Cursor | Count | Sort | Search | Include | Fields | Limit | Filter | Repeated


def plainly(path: Path, name: str, operator: str) -> str:
    """`items.quantity gte`, where a protocol has no notation of its own."""
    dotted = ".".join((*path, name))
    return dotted if operator == "eq" else f"{dotted} {operator}"


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Everything that is asked of a list, or of one row.

    Attributes:
        parts: in the order in which they were sent, which is that of errors.
        cursor: where the list goes on; empty for its beginning. Queries that differ in it alone are equal: but for
            their cursor the pages of a list are asked for alike.
        size: characters that were sent for it, without the cursor's.
        named: how errors name parts that could have been asked for.
    """

    parts: tuple[Part, ...] = ()
    cursor: str = field(default="", compare=False)
    size: int = field(default=0, compare=False)
    named: Named = field(default=plainly, compare=False)
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(self.parts))

    def __hash__(self) -> int:
        """What was checked before is found by queries: the hash is computed once."""
        return self._hash


NOTHING_ASKED = ListQuery()

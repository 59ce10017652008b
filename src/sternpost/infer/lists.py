"""The lists of resources: the other side of their references, and rows linked with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sternpost.infer.model import InferredList, InferredTable
from sternpost.infer.names import ascii_words, list_name, many_of, one_of, snake
from sternpost.storage.sql.tables import FoundTable, Place

Tables = Mapping[Place, InferredTable]


def add_lists(table: InferredTable, tables: Tables) -> None:
    """The other side of every reference to the table."""
    pointing = [(other, found) for other in tables.values() for found in other.fields if found.target is table]
    for other, found in pointing:
        several = sum(1 for another, _ in pointing if another is other) > 1
        name = _many(other)
        name = f"{name}_by_{found.name}" if several else name
        options = {"by": found.name} if several else {}
        table.lists.append(InferredList(list_name(name, table.taken), other, options))


def in_order(links: Sequence[FoundTable]) -> list[FoundTable]:
    """Links by name, but first those that are called like the tables that they link: they get the plain names."""
    return sorted(links, key=lambda link: (not _is_called_like_its_tables(link), link.shown))


def _is_called_like_its_tables(link: FoundTable) -> bool:
    words = {word for key in link.foreign_keys for word in ascii_words(key.table)}
    return set(map(one_of, ascii_words(link.name))) == set(map(one_of, words))


def add_link(link: FoundTable, tables: Tables) -> str | None:
    """The lists on both sides of a table of pairs; a reason where there are none."""
    first, second = (next(key for key in link.foreign_keys if key.columns == (column.name,)) for column in link.columns)
    left, right = (tables.get((key.schema, key.table)) for key in (first, second))
    if left is None or right is None:
        missing = first if left is None else second
        return f"it links {missing.table}, which is not part of the contract"
    if left is right:
        return f"it links {left.table.shown} with itself"
    if first.remote != left.table.key or second.remote != right.table.key:
        return "it does not refer to the primary keys of the tables that it links"
    if {left.table.schema, right.table.schema} != {link.schema}:
        return "it is in another schema than the tables that it links"
    for here, there, columns in (
        (left, right, (first.columns[0], second.columns[0])),
        (right, left, (second.columns[0], first.columns[0])),
    ):
        options: dict[str, Any] = {"through": link.name, "columns": list(columns)}
        more = f"through_{snake(ascii_words(link.name)) or 'link'}"
        here.lists.append(InferredList(list_name(_many(there), here.taken, more), there, options))
    return None


def _many(table: InferredTable) -> str:
    return snake([*table.words[:-1], many_of(table.words[-1])])

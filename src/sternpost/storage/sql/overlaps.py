"""Spans that do not overlap, as SQL that all databases share."""

from __future__ import annotations

import re
from collections.abc import Callable

from sternpost.ports.schema import DatabaseName, NoOverlap, indexed_column

_NAMES = re.compile(r"""'(?:[^']|'')*'|(?P<quoted>"\w+")""")
"""A text, which stays as it is, or a name in quotes."""

ROWS_MAX = 20
"""How many pairs of rows that overlap are listed."""


def of_row(condition: str, row: str) -> str:
    """A condition of our own about a row by its name."""
    return _NAMES.sub(lambda found: f"{row}.{found[0]}" if found["quoted"] else found[0], condition)


def key_of(row: str, key: str) -> str:
    """A key of a row: a column, or its text in lower case."""
    found = indexed_column(key)
    assert found is not None, "keys are columns"
    return f'lower({row}."{found.name}")' if found.lowered else f'{row}."{found.name}"'


def overlapping(overlap: NoOverlap, one: str, other: str, database: DatabaseName) -> str:
    """That two rows have the same keys, and spans that overlap; `other` is one of those that are compared."""
    start, end = f'"{overlap.start}"', f'"{overlap.end}"'
    parts = [f"{key_of(other, key)} = {key_of(one, key)}" for key in overlap.keys]
    parts += [
        f"({other}.{start} IS NULL OR {one}.{end} IS NULL OR {other}.{start} < {one}.{end})",
        f"({one}.{start} IS NULL OR {other}.{end} IS NULL OR {one}.{start} < {other}.{end})",
    ]
    where = overlap.where and overlap.where.on(database)
    parts += [f"({of_row(where, other)})"] if where else []
    return " AND ".join(parts)


def overlapping_rows(table: str, overlap: NoOverlap, database: DatabaseName, quote: Callable[[str], str]) -> str:
    """The ids of rows that overlap, in pairs."""
    where = overlap.where and overlap.where.on(database)
    compared = f"({of_row(where, 'one')}) AND " if where else ""
    return (
        f"SELECT CAST(one.id AS TEXT), CAST(other.id AS TEXT) FROM {quote(table)} one JOIN {quote(table)} other "
        f"ON one.id < other.id WHERE {compared}{overlapping(overlap, 'one', 'other', database)} "
        f"ORDER BY 1, 2 LIMIT {ROWS_MAX + 1}"
    )

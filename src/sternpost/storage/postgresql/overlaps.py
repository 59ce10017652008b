"""Spans that do not overlap, in PostgreSQL: an exclusion constraint over a range made of start and end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sternpost.ports.schema import NoOverlap, indexed_column

KEYS_EXTENSION = "btree_gist"
"""What compares keys in the index of ranges (https://www.postgresql.org/docs/current/btree-gist.html)."""

EXTENSION_FIX = (
    f"Let the database's owner or a superuser run: CREATE EXTENSION {KEYS_EXTENSION}; (it is part of PostgreSQL's "
    "contrib package, and trusted: who may create in the database may create it)"
)


class PostgresqlOverlaps:
    """Its part of the dialect.

    Args:
        ranges: the function that makes a range, by the form of its bounds.
    """

    def __init__(self, ranges: Mapping[str, str]) -> None:
        self._ranges = ranges

    def needs(self, overlaps: Iterable[NoOverlap]) -> list[str]:
        needed = any(overlap.keys for overlap in overlaps)
        return [f"CREATE EXTENSION IF NOT EXISTS {KEYS_EXTENSION}"] if needed else []

    def create(self, table: str, overlap: NoOverlap) -> list[str]:
        made = self._ranges[overlap.form.partition("(")[0]]
        parts = [f"{_key(key)} WITH =" for key in overlap.keys]
        parts.append(f'{made}("{overlap.start}", "{overlap.end}", \'[)\') WITH &&')
        where = overlap.where and overlap.where.postgresql
        condition = f" WHERE ({where})" if where else ""
        return [
            f'ALTER TABLE "{table}" ADD CONSTRAINT "{overlap.name}" EXCLUDE USING gist ({", ".join(parts)}){condition}'
        ]

    def drop(self, table: str, name: str) -> list[str]:
        return [f'ALTER TABLE "{table}" DROP CONSTRAINT IF EXISTS "{name}"']


def _key(key: str) -> str:
    found = indexed_column(key)
    assert found is not None, "keys are columns"
    return f'lower("{found.name}")' if found.lowered else f'"{found.name}"'

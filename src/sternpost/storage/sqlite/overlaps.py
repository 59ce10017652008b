"""Spans that do not overlap, in SQLite: triggers that look for another row, and the index by which they find it."""

from __future__ import annotations

from collections.abc import Iterable

from sternpost.ports.schema import NoOverlap, indexed_column
from sternpost.storage.sql.overlaps import of_row, overlapping
from sternpost.storage.sqlite.failures import OVERLAP


class SqliteOverlaps:
    """Its part of the dialect."""

    def needs(self, overlaps: Iterable[NoOverlap]) -> list[str]:
        return []

    def create(self, table: str, overlap: NoOverlap) -> list[str]:
        return [_index(table, overlap), *(_trigger(table, overlap, event) for event in ("insert", "update"))]

    def drop(self, table: str, name: str) -> list[str]:
        return [
            *(f'DROP TRIGGER IF EXISTS "{name}_{event}"' for event in ("insert", "update")),
            f'DROP INDEX IF EXISTS "{name}"',
        ]


def _index(table: str, overlap: NoOverlap) -> str:
    keys = [found for key in overlap.keys if (found := indexed_column(key)) is not None]
    columns = [f'lower("{key.name}")' if key.lowered else f'"{key.name}"' for key in keys]
    where = overlap.where and overlap.where.sqlite
    listed = ", ".join([*columns, f'"{overlap.start}"', f'"{overlap.end}"'])
    return f'CREATE INDEX "{overlap.name}" ON "{table}" ({listed})' + (f" WHERE {where}" if where else "")


def _trigger(table: str, overlap: NoOverlap, event: str) -> str:
    """After the row is written: what an upsert would have added, and what was there before a change, do not count."""
    where = overlap.where and overlap.where.sqlite
    condition = f"WHEN {of_row(where, 'NEW')}\n" if where else ""
    columns = ", ".join(f'"{name}"' for name in sorted(overlap.columns))
    when = "INSERT" if event == "insert" else f"UPDATE OF {columns}"
    return (
        f'CREATE TRIGGER "{overlap.name}_{event}" AFTER {when} ON "{table}"\n'
        f"{condition}BEGIN\n"
        f"    SELECT RAISE(ABORT, '{OVERLAP}{overlap.name}') WHERE EXISTS (SELECT 1 FROM \"{table}\" AS other\n"
        f'    WHERE other."id" <> NEW."id" AND {overlapping(overlap, "NEW", "other", "sqlite")});\nEND'
    )

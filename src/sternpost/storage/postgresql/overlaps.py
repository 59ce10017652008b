"""Spans that do not overlap, in PostgreSQL: an exclusion constraint over a range made of start and end, before which
those who write rows with the same keys wait for each other.

Without the wait two that write rows that overlap at the same time would each find the other's, and wait for its end: a
deadlock, which the server only finds after a second, and once for each pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sternpost.ports.schema import NoOverlap, indexed_column
from sternpost.storage.sql.checks import literal
from sternpost.storage.sql.overlaps import of_row

KEYS_EXTENSION = "btree_gist"
"""What compares keys in the index of ranges (https://www.postgresql.org/docs/current/btree-gist.html)."""

WAITING = "sternpost_overlap_wait"
_FUNCTION = f"""CREATE OR REPLACE FUNCTION {WAITING}() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    keys text := TG_ARGV[0];
BEGIN
    FOR number IN 1 .. TG_NARGS - 1 LOOP
        keys := keys || E'\\n' || coalesce(lower(to_jsonb(NEW) ->> TG_ARGV[number]), '');
    END LOOP;
    PERFORM pg_advisory_xact_lock(hashtextextended(keys, 0));
    RETURN NEW;
END $$"""
"""Waits for whoever writes a row with the same keys, until that transaction ends."""

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
            f'ALTER TABLE "{table}" ADD CONSTRAINT "{overlap.name}" EXCLUDE USING gist ({", ".join(parts)}){condition}',
            _FUNCTION,
            _trigger(table, overlap),
        ]

    def drop(self, table: str, name: str) -> list[str]:
        return [
            f'DROP TRIGGER IF EXISTS "{name}" ON "{table}"',
            f'ALTER TABLE "{table}" DROP CONSTRAINT IF EXISTS "{name}"',
        ]


def _trigger(table: str, overlap: NoOverlap) -> str:
    names = [found.name for key in overlap.keys if (found := indexed_column(key)) is not None]
    columns = ", ".join(f'"{name}"' for name in sorted(overlap.columns))
    where = overlap.where and overlap.where.postgresql
    condition = f" WHEN ({of_row(where, 'NEW')})" if where else ""
    return (
        f'CREATE TRIGGER "{overlap.name}" BEFORE INSERT OR UPDATE OF {columns} ON "{table}"\n'
        f"FOR EACH ROW{condition} EXECUTE FUNCTION {WAITING}({', '.join(map(literal, (overlap.name, *names)))})"
    )


def _key(key: str) -> str:
    found = indexed_column(key)
    assert found is not None, "keys are columns"
    return f'lower("{found.name}")' if found.lowered else f'"{found.name}"'

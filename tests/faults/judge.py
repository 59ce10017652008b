"""Compares a ledger with the database: what was acknowledged and is not there, is there twice, or was refused and is
there."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from tests.faults.ledger import Entry, entries

LINES_OF = {"create": 0, "book": 2}
_ENTRIES = "SELECT op, count(*) FROM entries GROUP BY op"
_LINES = "SELECT op, count(*), sum(amount) FROM lines GROUP BY op"


@dataclass(frozen=True)
class Rows:
    """What the database holds: for each operation its entries, its lines, and what those come to."""

    entries: Mapping[str, int]
    lines: Mapping[str, int]
    sums: Mapping[str, int]


@dataclass
class Verdict:
    """How a run ended. Operations are named by their ids."""

    states: Counter[str] = field(default_factory=Counter[str])
    tried_again: int = 0
    lost: list[str] = field(default_factory=list[str])
    """Acknowledged, and not there."""
    duplicate: list[str] = field(default_factory=list[str])
    phantom: list[str] = field(default_factory=list[str])
    """Refused, and there; or there, and never sent."""
    half: list[str] = field(default_factory=list[str])
    """There in part: an entry without its lines, or lines without their entry."""
    open: list[str] = field(default_factory=list[str])
    """Not answered to the end."""

    def __str__(self) -> str:
        counted = {name: len(getattr(self, name)) for name in ("lost", "duplicate", "phantom", "half", "open")}
        parts = {**dict(sorted(self.states.items())), "tried_again": self.tried_again, **counted}
        return " ".join(f"{name}={count}" for name, count in parts.items())

    @property
    def clean(self) -> bool:
        return not (self.lost or self.duplicate or self.phantom or self.half)

    def require_clean(self, *, acknowledged: int, closed: bool = False) -> None:
        """Fails where something was lost, there twice, there without cause, or there in part.

        Args:
            acknowledged: how many operations have to be `ok`: a run in which nothing happened proves nothing.
            closed: whether none may be left unanswered, as where each has been tried again with its key.
        """
        first = {name: getattr(self, name)[:5] for name in ("lost", "duplicate", "phantom", "half", "open")}
        assert self.clean, f"{self}: {first}"
        assert self.states["ok"] >= acknowledged, f"{self}: too little was acknowledged to prove anything"
        assert not (closed and self.open), f"{self}: {first}"


def judge(found: Mapping[str, Entry], rows: Rows) -> Verdict:
    verdict = Verdict(Counter(entry.state for entry in found.values()))
    verdict.tried_again = sum(entry.tries > 1 for entry in found.values())
    for op, entry in found.items():
        count, lines = rows.entries.get(op, 0), rows.lines.get(op, 0)
        if count > 1:
            verdict.duplicate.append(op)
        if lines != count * LINES_OF[entry.kind] or rows.sums.get(op, 0) != 0:
            verdict.half.append(op)
        if entry.state == "ok" and count == 0:
            verdict.lost.append(op)
        elif entry.state == "fail" and (count or lines):
            verdict.phantom.append(op)
        elif entry.state in ("unknown", "sending"):
            verdict.open.append(op)
    verdict.phantom += sorted((rows.entries.keys() | rows.lines.keys()) - found.keys())
    return verdict


async def verdict_of(ledger: Path, database_url: str, what: str) -> Verdict:
    """Judges, and prints it."""
    verdict = judge(entries(ledger), await rows_of(database_url))
    print(f"{what}: {verdict}")
    return verdict


async def rows_of(database_url: str) -> Rows:
    if database_url.startswith("sqlite:"):
        return _in_sqlite(Path(database_url.removeprefix("sqlite:///")))
    connection = await asyncpg.connect(database_url)
    try:
        rows = [tuple(row) for row in await connection.fetch(_ENTRIES)]
        lines = [tuple(row) for row in await connection.fetch(_LINES)]
    finally:
        await connection.close()
    return _rows(rows, lines)


def _in_sqlite(path: Path) -> Rows:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return _rows(connection.execute(_ENTRIES).fetchall(), connection.execute(_LINES).fetchall())


def _rows(found: list[tuple[str, int]], lines: list[tuple[str, int, int]]) -> Rows:
    return Rows(dict(found), {op: count for op, count, _ in lines}, {op: int(total) for op, _, total in lines})

"""The outbox in SQLite: there is one writer at a time, so numbers are in the order of the commits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from sternpost.ports.outbox import Lag, Position
from sternpost.ports.own_tables import OUTBOX_TABLE
from sternpost.storage.sql.dialect import Dialect
from sternpost.storage.sql.outbox import WRITTEN, Found, event_id, event_of
from sternpost.storage.sqlite.running import FileReads

OUTBOX_TYPES = {
    "counted": "INTEGER",
    "transaction": "INTEGER DEFAULT 0",
    "id": "TEXT",
    "string": "TEXT",
    "version": "INTEGER",
    "instant": "TEXT",
    "json": "TEXT",
}
"""The types of the table's columns by the form of their values. Every transaction has the same number: see above."""

POLL_SECONDS = 0.02
"""Between two looks for what another process has written. A look reads one row by its key, which costs about what it
costs to ask SQLite whether the file has changed."""

_EVENT_AT = f"SELECT event_id FROM {OUTBOX_TABLE} WHERE id = ?"
_BEHIND = f"SELECT id, xid, {', '.join(WRITTEN)} FROM {OUTBOX_TABLE} WHERE id > ? ORDER BY id LIMIT ?"
_AHEAD = 20
"""How many times as many events are looked at as are removed: those of a clock that was ahead stay where they are, and
do not keep what is behind them."""

_REMOVE = f"""DELETE FROM {OUTBOX_TABLE} WHERE id IN (
  SELECT id FROM (SELECT id, occurred_at FROM {OUTBOX_TABLE} ORDER BY id LIMIT ?1 * {_AHEAD})
  WHERE occurred_at < ?2 ORDER BY id LIMIT ?1)
AND id < (SELECT max(id) FROM {OUTBOX_TABLE}) RETURNING id"""
"""The newest stays, for the next number is one more than the greatest that is there."""


class SqliteTail:
    """Its part of the outbox."""

    def __init__(
        self,
        file: FileReads,
        write: Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]],
        dialect: Dialect,
    ) -> None:
        self._file = file
        self._write = write
        self._raw = dialect.raw

    async def look(self, position: Position | None, limit: int) -> Found:
        number = 0 if position is None else position.number
        known = self._file.read_inline(_EVENT_AT, (number,))
        rows = await self._file.read_list(_BEHIND, (number, limit))
        return Found("", event_id(known[0][0]) if known else None, held=False, rows=rows)

    async def lag(self, position: Position | None) -> Lag:
        rows = (await self.look(position, 1)).rows
        return Lag(event_of(rows[0][2:]).occurred_at if rows else None)

    async def remove_expired(self, before: datetime, at_most: int) -> int:
        return len(await self._write(_REMOVE, (at_most, self._raw(before))))

    async def poll_seconds(self, *, held: bool) -> float:
        return POLL_SECONDS

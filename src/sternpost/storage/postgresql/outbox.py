"""The outbox in PostgreSQL, where transactions end in another order than that in which they begin.

Each row has the number of its transaction or, where that is greater, of the last one that had ended when the row was
written (`xid`). It is read once every transaction up to that number has ended: what is written by others has a greater
number then, and nothing can come before it. Numbers of rows alone would not do, because a slow transaction commits rows
with lower numbers than those that were read already.

The last one that had ended counts because a transaction may get its number long before it changes a row, when others
have changed that row since and have ended: its events come behind theirs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

from sternpost.ports.outbox import Events, Lag, Position
from sternpost.ports.own_tables import OUTBOX_TABLE
from sternpost.storage.sql.outbox import WRITTEN, Found, bound, event_id

_TEXT = 'TEXT COLLATE "C"'

OUTBOX_TYPES = {
    "counted": "BIGINT GENERATED ALWAYS AS IDENTITY",
    "transaction": (
        "INT8 DEFAULT GREATEST(pg_current_xact_id()::text::int8,pg_snapshot_xmax(pg_current_snapshot())::text::int8-1)"
    ),
    "id": "UUID",
    "string": _TEXT,
    "version": "INTEGER",
    "instant": "TIMESTAMPTZ",
    "json": "JSONB",
}
"""The types of the table's columns by the form of their values."""

HELD_POLL_SECONDS = 0.05
"""Between two looks while a transaction holds events up: its end gives no hint."""

_OLDEST = "pg_snapshot_xmin(pg_current_snapshot())"
_XMIN = f"{_OLDEST}::text::bigint"
"""All transactions with lower numbers have ended."""

_XMAX = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
"""No transaction with this number, or a greater one, had committed. A row that has one, and is there, was restored
from another server."""

_COLUMNS = ", ".join(WRITTEN)

_LOOK = f"""SELECT s.*, e.* FROM (SELECT
  (SELECT system_identifier FROM pg_control_system())::text AS server,
  EXISTS (SELECT FROM {OUTBOX_TABLE} WHERE xid >= {_XMAX}) AS restored,
  EXISTS (SELECT FROM {OUTBOX_TABLE} WHERE xid >= {_XMIN}) AS held,
  (SELECT event_id FROM {OUTBOX_TABLE} WHERE xid = $1::bigint AND id = $2) AS known
) s LEFT JOIN LATERAL (
  SELECT id, xid, {_COLUMNS} FROM {OUTBOX_TABLE}
  WHERE xid < {_XMIN} AND (xid, id) > ($1::bigint, $2) ORDER BY xid, id LIMIT $3
) e ON true"""

_TOLD = 4
"""Columns of the former that are about the table as a whole."""

_LOCK = "hashtext('sternpost outbox')"

_OLDEST_NUMBER = 2
"""No transaction of a service has so low a number: 3 is the first that any has."""

_RENUMBER = f"""WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock({_LOCK})),
newest AS (SELECT max(id) AS id FROM {OUTBOX_TABLE}, alone WHERE xid >= {_XMAX})
UPDATE {OUTBOX_TABLE} SET xid = {_OLDEST_NUMBER}
WHERE id <= (SELECT id FROM newest) AND xid <> {_OLDEST_NUMBER}"""
"""What was restored comes first from now on, in the order of the numbers of its rows: events of one row have them in
order, because each transaction has locked the row before it takes a number."""

_LAG = f"""SELECT
  (SELECT occurred_at FROM {OUTBOX_TABLE} WHERE (xid, id) > ($1::bigint, $2) ORDER BY xid, id LIMIT 1),
  EXISTS (SELECT FROM {OUTBOX_TABLE} WHERE xid >= {_XMIN})"""

_HOLDER = f"""SELECT 'process ' || pid || coalesce(' of ' || nullif(application_name, ''), ''), xact_start
FROM pg_stat_activity WHERE backend_xid = {_OLDEST}::xid
UNION ALL SELECT 'prepared transaction ' || gid, prepared FROM pg_prepared_xacts WHERE transaction = {_OLDEST}::xid"""

_AHEAD = 20
"""How many times as many events are looked at as are removed: those of a clock that was ahead stay where they are, and
do not keep what is behind them."""

_REMOVE = f"""WITH alone AS MATERIALIZED (SELECT pg_try_advisory_xact_lock({_LOCK}) AS free),
seen AS (SELECT xid, id, occurred_at FROM {OUTBOX_TABLE}
  WHERE xid < {_XMIN} AND (SELECT free FROM alone) ORDER BY xid, id LIMIT $2::bigint * {_AHEAD}),
oldest AS (SELECT * FROM seen WHERE occurred_at < $1 ORDER BY xid, id LIMIT $2::bigint),
gone AS (DELETE FROM {OUTBOX_TABLE} o USING oldest
  WHERE o.xid = oldest.xid AND o.id = oldest.id AND oldest.occurred_at < $1 RETURNING 1)
SELECT count(*) FROM gone"""

Fetch = Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]]


class PostgresqlTail:
    """Its part of the outbox.

    Args:
        fetch, write: run a statement that reads, or changes something, on the server that is written to.
        listening: makes sure that hints come; gives after how long to look where none does.
    """

    def __init__(self, fetch: Fetch, write: Fetch, listening: Callable[[], Awaitable[float]]) -> None:
        self._fetch = fetch
        self._write = write
        self._listening = listening

    async def look(self, position: Position | None, limit: int) -> Found:
        rows = await self._fetch(_LOOK, (*_place(position), limit))
        server, restored, held, known = rows[0][:_TOLD]
        if restored:
            await self._write(_RENUMBER, ())
            return await self.look(position, limit)
        there = [row[_TOLD:] for row in rows if row[_TOLD] is not None]
        return Found(server, None if known is None else event_id(known), held, there)

    async def lag(self, position: Position | None) -> Lag:
        ((oldest, held),) = await self._fetch(_LAG, _place(position))
        holders = await self._fetch(_HOLDER, ()) if held else ()
        return Lag(oldest, held, *holders[0]) if holders else Lag(oldest, held)

    async def remove_expired(self, before: datetime, at_most: int) -> int:
        return (await self._write(_REMOVE, (before, at_most)))[0][0]

    async def poll_seconds(self, *, held: bool) -> float:
        pause = await self._listening()
        return min(pause, HELD_POLL_SECONDS) if held else pause


def _place(position: Position | None) -> tuple[int, int]:
    return (0, 0) if position is None else (position.transaction, position.number)


# -- events of rows that share a statement

_ARRAYS = ("uuid", "uuid", "text", "int", *(["text"] * 7), "timestamptz", "jsonb")
"""The types of what is bound: the key of the row, then the columns of `WRITTEN`."""


def with_events(text: str, columns: int, key: int, parameters: int) -> str:
    """An INSERT with RETURNING that writes events, too, for those of its rows that were written.

    Args:
        columns, key: how many it returns, and which of them is the key of the row.
        parameters: how many it has; those of the events follow.
    """
    names = [f"c{number}" for number in range(columns)]
    rows, told = "sternpost_rows", "sternpost_told"  # seen by what follows alone, which names no table of the contract
    bound_as = ", ".join(f"${parameters + at}::{name}[]" for at, name in enumerate(_ARRAYS, start=1))
    given = ", ".join(f"e.{name}" for name in WRITTEN)
    return (
        f"WITH {rows} ({', '.join(names)}) AS ({text}), {told} AS (INSERT INTO {OUTBOX_TABLE} ({_COLUMNS}) "
        f"SELECT {given} FROM unnest({bound_as}) WITH ORDINALITY AS e (key, {_COLUMNS}, place) "
        f"JOIN {rows} ON {rows}.{names[key]} = e.key ORDER BY e.place) SELECT {', '.join(names)} FROM {rows}"
    )


def bind_events(events: Sequence[tuple[str, Events]]) -> tuple[list[Any], ...]:
    """The events of rows by their keys, as `with_events` has them bound."""
    values = [(key, *bound(event)) for key, of_row in events for event in of_row]
    return tuple(map(list, zip(*values, strict=True)))

"""The table of the outbox, and what every SQL driver does with its rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import orjson
from sqlalchemy import Column, Index, MetaData, PrimaryKeyConstraint, Table

from sternpost.ids import encode
from sternpost.ports.outbox import EVENT_PREFIX, READ_MAX, Event, Lag, Position
from sternpost.ports.own_tables import OUTBOX_TABLE
from sternpost.storage.sql.dialect import ColumnType, Dialect
from sternpost.storage.sql.hints import Hints

COLUMNS: tuple[tuple[str, str, bool], ...] = (
    ("id", "counted", False),
    ("xid", "transaction", False),
    ("event_id", "id", False),
    ("name", "string", False),
    ("version", "version", False),
    ("resource", "string", False),
    ("row_id", "string", True),
    ("operation", "string", False),
    ("request_id", "string", True),
    ("trace_id", "string", True),
    ("tenant", "string", True),
    ("actor", "string", True),
    ("occurred_at", "instant", False),
    ("payload", "json", True),
)
"""Names and forms of the columns, and which may be null. `id` and `xid` are the database's own doing."""

WRITTEN = tuple(name for name, _, _ in COLUMNS[2:])


def outbox_table(metadata: MetaData, dialect: Dialect) -> Table:
    """The table. What is read, and removed, is found by the index of transactions; see the drivers."""
    types = dialect.outbox_types
    table = Table(
        OUTBOX_TABLE,
        metadata,
        *(
            Column(name, ColumnType(types[form]), nullable=nullable, info={"form": form})
            for name, form, nullable in COLUMNS
        ),
        PrimaryKeyConstraint("id", name=f"pk_{OUTBOX_TABLE}"),
        **dialect.table_options,
    )
    Index(f"ix_{OUTBOX_TABLE}_xid", table.c.xid, table.c.id)
    return table


def bound(event: Event) -> tuple[Any, ...]:
    """The values of an event in the order of `WRITTEN`, before a driver gives its own form to ids and instants."""
    payload = None if event.payload is None else orjson.dumps(event.payload).decode()
    return (
        event.id.removeprefix(f"{EVENT_PREFIX}_"),
        event.name,
        event.version,
        event.resource,
        event.row_id,
        event.operation,
        event.request_id,
        event.trace_id,
        event.tenant,
        event.actor,
        event.occurred_at,
        payload,
    )


def event_of(row: Sequence[Any]) -> Event:
    """The event of a row with the columns of `WRITTEN`."""
    (key, name, version, resource, row_id, operation, request_id, trace_id, tenant, actor, at, payload) = row
    return Event(
        event_id(key),
        name,
        resource,
        row_id,
        operation,
        request_id,
        trace_id,
        tenant,
        actor,
        at if isinstance(at, datetime) else datetime.fromisoformat(at).replace(tzinfo=UTC),
        version,
        None if payload is None else orjson.loads(payload),
    )


def event_id(key: Any) -> str:
    """The id of an event, of what its column holds."""
    return encode(EVENT_PREFIX, key.hex if isinstance(key, UUID) else key)


class Emission:
    """The statement that writes an event."""

    def __init__(self, dialect: Dialect) -> None:
        numbered = dialect.numbers_parameters
        marks = (f"${number}" if numbered else "?" for number in range(1, len(WRITTEN) + 1))
        self.text = f"INSERT INTO {OUTBOX_TABLE} ({', '.join(WRITTEN)}) VALUES ({', '.join(marks)})"
        self._raw = dialect.raw

    def values(self, event: Event) -> tuple[Any, ...]:
        """An event as the driver binds it."""
        values = bound(event)
        return (*values[:-2], self._raw(event.occurred_at), values[-1])


@dataclass(frozen=True, slots=True)
class Found:
    """What a look at the outbox has found.

    Attributes:
        database: as positions name it.
        at_position: the id of the event at the position that was asked for, or None.
        held: whether events are committed that may not be read yet.
        rows: `id`, `xid` and the columns of `WRITTEN`, in order.
    """

    database: str
    at_position: str | None
    held: bool
    rows: Sequence[Sequence[Any]]


class Tail(Protocol):
    """How one database is asked for what is committed, in an order in which nothing comes late."""

    async def look(self, position: Position | None, limit: int) -> Found:
        """What is behind a position."""
        ...

    async def lag(self, position: Position | None) -> Lag:
        """How far behind a position is that is a place of this database."""
        ...

    async def remove_expired(self, before: datetime, at_most: int) -> int:
        """Removes events that occurred before an instant."""
        ...

    async def poll_seconds(self, *, held: bool) -> float:
        """After how long to look again where no hint comes; makes sure that hints do come."""
        ...


class SqlOutbox:
    """The port's `Outbox` on any SQL database.

    Args:
        hints: are given when there may be something new, and may be lost: what is looked at tells.
    """

    def __init__(self, tail: Tail, hints: Hints, kept: timedelta) -> None:
        self._tail = tail
        self._hints = hints
        self._kept = kept

    async def after(self, position: Position | None, limit: int) -> tuple[list[Event], Position | None]:
        position, found = await self._found(position, limit)
        events = [event_of(row[2:]) for row in found.rows]
        if events:
            number, transaction = found.rows[-1][:2]
            position = Position(found.database, transaction, number, events[-1].id)
        return events, position

    async def wait(self, position: Position | None, timeout_seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_seconds
        while True:
            with self._hints.next() as hint:
                _, found = await self._found(position, 1)
                if found.rows:
                    return True
                pause = min(await self._tail.poll_seconds(held=found.held), end - loop.time())
                if pause <= 0:
                    return False
                await asyncio.wait([hint], timeout=pause)

    async def lag(self, position: Position | None) -> Lag:
        position, _ = await self._found(position, 1)
        return await self._tail.lag(position)

    async def remove_expired(self, now: datetime, at_most: int) -> int:
        _require_few(at_most)
        # Place of the oldest position of readers that are registered, once there are any: what is behind it stays.
        return await self._tail.remove_expired(now - self._kept, at_most)

    async def _found(self, position: Position | None, limit: int) -> tuple[Position | None, Found]:
        """What is behind a position, or of all there is where that is no place of this database.

        The row at a position proves it: new transactions have greater numbers than those whose rows are there, so
        nothing new can come before it. On another server, or in a database that was restored to before that row,
        numbers mean something else, or are given once more. Where the row was removed, all that is older is gone, too.
        """
        _require_few(limit)
        found = await self._tail.look(position, limit)
        if position is None or (found.database == position.database and found.at_position == position.event):
            return position, found
        return None, await self._tail.look(None, limit)


def _require_few(number: int) -> None:
    if not 1 <= number <= READ_MAX:
        raise ValueError(f"between 1 and {READ_MAX} events at a time, not {number}")

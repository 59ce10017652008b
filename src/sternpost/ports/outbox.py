"""The outbox: events that are written with the change that they tell of, and read in the order of the commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

EVENT_PREFIX = "evt"
"""Of the ids of events."""

READ_MAX = 1000
"""Events that are read, or removed, at a time."""


@dataclass(frozen=True, slots=True)
class Event:
    """What happened. Nothing in it is a value of the row, so that it tells nobody more than that it happened.

    Attributes:
        id: `evt_` and 32 digits; the same whenever the event is read.
        name: such as `order.paid`; version: that of its payload.
        resource, row_id: of which row, as clients know it; no id for an operation on a collection.
        operation: what was called; request_id, trace_id: in which request.
        tenant, actor: whose row it is, and who called; None where there is no such.
        occurred_at: by the clock of the service, before the commit.
        payload: JSON; None as long as events declare none.
    """

    id: str
    name: str
    resource: str
    row_id: str | None
    operation: str
    request_id: str | None
    trace_id: str | None
    tenant: str | None
    actor: str | None
    occurred_at: datetime
    version: int = 1
    payload: Any = None


Events = Sequence[Event]
NO_EVENTS: Events = ()


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the outbox: behind the last event that was read.

    Attributes:
        database: what tells one database server from another; nothing where a file is the database.
        transaction, number: by which events are in order.
        event: the id of that event. Where another one has its place, or none, the database is not what it was.
    """

    database: str
    transaction: int
    number: int
    event: str

    @property
    def text(self) -> str:
        """All of it, for whoever keeps positions."""
        return f"{self.database}:{self.transaction}:{self.number}:{self.event}"

    @classmethod
    def read(cls, text: str) -> Position:
        """The position with this text. Raises `ValueError`."""
        database, transaction, number, event = text.split(":")
        return cls(database, int(transaction), int(number), event)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far behind a reader is.

    Attributes:
        oldest: when the oldest event occurred that it has not read; None where it has read all.
        held: whether events are committed that nobody may read yet, because a transaction that began before them
            is still running: it may have an event that comes before theirs.
        holder: that transaction, as far as the database tells this user of it.
        held_since: when it began.
    """

    oldest: datetime | None
    held: bool = False
    holder: str | None = None
    held_since: datetime | None = None


class Outbox(Protocol):
    """The events of committed changes.

    An event that `after` has given comes before all that it gives later: a transaction that is slower than others never
    adds one in front of it. Each is there until it is older than the contract keeps events.
    """

    async def after(self, position: Position | None, limit: int) -> tuple[list[Event], Position | None]:
        """Events behind a position, the oldest first, and the position behind the last of them; None begins with the
        oldest that is kept.

        Where the position is no place of this database any more (it was restored, or is another one), everything that
        is kept comes again, with the ids that the events had.

        Args:
            limit: at most `READ_MAX`.
        """
        ...

    async def wait(self, position: Position | None, timeout_seconds: float) -> bool:
        """Waits until there is an event behind a position; False where none came in that time."""
        ...

    async def lag(self, position: Position | None) -> Lag:
        """How far behind a position is."""
        ...

    async def remove_expired(self, now: datetime, at_most: int) -> int:
        """Removes events that are older than the contract keeps them, in one short transaction; how many. Another
        process that does so at the same time makes this one remove none."""
        ...

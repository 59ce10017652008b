"""New rows of many requests, which share a commit: that is what a write to a file costs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from sternpost.deadline import Alarms, Deadline
from sternpost.errors import OutcomeUnknown, Timeout, Unavailable
from sternpost.ports.outbox import NO_EVENTS, Events
from sternpost.ports.storage import EVERY_TENANT, Document, Session, Statistics, TransactionOptions, Values, Visibility
from sternpost.storage.sql.grouping import Grouping

INSERTS_MAX = 64
"""New rows in one transaction."""

_Part = tuple[Values, Deadline | None, Events]
"""A new row, when its request is to be answered, and what is to be told of it."""


class Transaction(Protocol):
    """Begins a transaction, as `Storage.transaction`."""

    def __call__(
        self,
        statistics: Statistics,
        options: TransactionOptions | None = None,
        visibility: Visibility = ...,
        deadline: Deadline | None = None,
    ) -> AbstractAsyncContextManager[Session]: ...


class GroupedInserts:
    """New rows of one resource, one after the other in one transaction. A row that is refused, or cannot be written for
    whatever reason of its own, leaves the others alone."""

    def __init__(self, transaction: Transaction, alarms: Alarms) -> None:
        self._transaction = transaction
        self._alarms = alarms
        self.grouping: Grouping[str, _Part, Document] = Grouping(
            self._insert_all, size_max=INSERTS_MAX, in_flight_max=1
        )

    def insert(
        self, resource: str, values: Values, deadline: Deadline | None = None, events: Events = NO_EVENTS
    ) -> asyncio.Future[Document]:
        """Adds a row, which names its tenant, and gives it back."""
        return self.grouping.join_within(deadline, resource, (values, deadline, events))

    async def _insert_all(self, resource: str, take: Callable[[], list[_Part]]) -> Sequence[Document | Exception]:
        results: list[Document | Exception] = []
        with Deadline(None, self._alarms) as deadline:
            async with self._transaction(Statistics(), visibility=EVERY_TENANT, deadline=deadline) as session:
                for row, limit, events in take():
                    if deadline.seconds is None and limit is not None and limit.seconds is not None:
                        deadline.limit(limit.at - self._alarms.loop.time())  # that of the others is about the same
                    try:
                        results.append(await session.insert(resource, row))
                    except (Unavailable, Timeout, OutcomeUnknown):  # which is about the file, and so about all of them
                        raise
                    except Exception as error:  # noqa: BLE001  (raised where the row's result is awaited)
                        results.append(error)
                    else:
                        if events:  # what fails here fails all: no row is kept without its events
                            await session.emit(events)
        return results

"""The same service with a planted mistake: events are written a moment after the commit, in a transaction of their own.
What is proved of the right one must fail for it."""

from __future__ import annotations

import asyncio
from typing import Any

from sternpost.ports.outbox import Events
from sternpost.ports.storage import Statistics
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.storage.sql.session import SqlSession
from sternpost.storage.sqlite.database import SqliteStorage
from tests.outbox.ledger import app

__all__ = ["app"]

LATE_SECONDS = 0.05

_emit = SqlSession.emit
_tasks: set[asyncio.Task[None]] = set()


async def _write(events: Events) -> None:
    await asyncio.sleep(LATE_SECONDS)
    async with app.running.runtime.storage.transaction(Statistics()) as session:
        await _emit(session, events)  # type: ignore[arg-type]


async def _emit_late(self: SqlSession, events: Events) -> None:
    task = asyncio.create_task(_write(events))
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def _patch(storage: Any) -> None:
    insert = storage.insert

    async def insert_then_tell(self: Any, *args: Any, events: Events = (), **more: Any) -> Any:
        document = await insert(self, *args, **more)
        await _emit_late(self, events)
        return document

    storage.insert = insert_then_tell


SqlSession.emit = _emit_late  # type: ignore[method-assign]
_patch(PostgresqlStorage)
_patch(SqliteStorage)

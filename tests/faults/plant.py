"""Bugs to plant in a served process: every fault test has to fail on one that breaks what it proves.

`FAULTS_PLANT` names them, separated by commas, and `tests.faults.plant:app` is the service with them. The source knows
nothing of this: each takes a part of the running program and replaces it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any

from sternpost.app.application import Sternpost
from sternpost.app.server import Server
from sternpost.protocols.http.messages import ANSWER
from sternpost.storage.postgresql import pool
from sternpost.storage.sql.session import SqlSession
from sternpost.storage.sqlite import connections, database
from tests.faults import book_service

VARIABLE = "FAULTS_PLANT"
COMMIT_LATER_SECONDS = 0.06


def synchronous_normal() -> None:
    """SQLite answers before the disk has what it answers for."""
    connections._PRAGMAS = tuple(
        "PRAGMA synchronous = NORMAL" if "synchronous" in pragma else pragma for pragma in connections._PRAGMAS
    )


def checkpoints_often() -> None:
    """No bug: SQLite moves what is in the WAL into the file all the time, and not after 1,000 pages."""
    connections._PRAGMAS = (*connections._PRAGMAS, "PRAGMA wal_autocheckpoint = 40")


def checkpoints_never() -> None:
    """No bug: SQLite moves nothing from the WAL into the file."""
    connections._PRAGMAS = (*connections._PRAGMAS, "PRAGMA wal_autocheckpoint = 0")


def answers_before_commit() -> None:
    """SQLite's commit comes a moment after the answer to who asked for it."""

    def later(connection: Any) -> None:
        time.sleep(COMMIT_LATER_SECONDS)
        connection.commit()

    async def not_awaited(self: Any, committing: Any) -> None:
        return None

    def scheduled(self: Any, connection: Any) -> Any:
        return asyncio.get_running_loop().run_in_executor(self._writer_thread, later, connection)

    database.SqliteStorage._commit = scheduled
    database._Late.wait = not_awaited


def half_committed() -> None:
    """On SQLite, a booking is several transactions: its entry, and each of its lines."""
    insert = SqlSession.insert

    async def committing(self: Any, resource: str, values: Any) -> Any:
        document = await insert(self, resource, values)
        self.connection.connection.commit()
        self.connection.connection.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(COMMIT_LATER_SECONDS)
        return document

    SqlSession.insert = committing


def connects_patiently() -> None:
    """PostgreSQL's pool tries again where nobody listens, for as long as a request may wait."""

    async def patiently(self: Any) -> Any:
        while True:
            try:
                return await self._connect()
            except OSError:
                await asyncio.sleep(0.1)

    pool.Pool._connect_soon = patiently


def waits_for_nobody() -> None:
    """SIGTERM ends the process at once, with status 0."""

    async def exit_at_once(self: Any, sockets: Any = None) -> None:
        os._exit(0)

    Server.shutdown = exit_at_once


PLANTS: dict[str, Callable[[], None]] = {
    found.__name__: found
    for found in (
        synchronous_normal,
        checkpoints_often,
        checkpoints_never,
        answers_before_commit,
        half_committed,
        connects_patiently,
        waits_for_nobody,
    )
}


def keys_ignored(app: Any) -> Any:
    """The service behind something that takes the keys of requests away, and answers a moment after the commit, so
    that kills find many calls between the two."""

    async def without(scope: Any, receive: Any, send: Any) -> None:
        async def late(message: Any) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(COMMIT_LATER_SECONDS)
            await send(message)

        if scope["type"] == "http":
            headers = [pair for pair in scope["headers"] if pair[0] != b"idempotency-key"]
            scope = {**scope, "headers": headers, ANSWER: None}
        await app(scope, receive, late)

    return without


_names = [name for name in os.environ.get(VARIABLE, "").split(",") if name]
for _name in _names:
    if _name != keys_ignored.__name__:
        PLANTS[_name]()
app = Sternpost(
    book_service.contract,
    services=[book_service.book],
    middleware=[keys_ignored] if keys_ignored.__name__ in _names else [],
)

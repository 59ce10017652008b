"""Hints from one process to others that there may be new events, by LISTEN and NOTIFY.

NOTIFY is sent behind the commit, and not within: a transaction with NOTIFY takes a lock of the whole server until its
commit is on the disk, so that one commit waits for the other. A hint that is lost costs a reader the time until it
looks by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg

from sternpost.errors import SternpostError
from sternpost.storage.sql.hints import Hints

CHANNEL = "sternpost_outbox"
LISTENING_POLL_SECONDS = 1.0
"""Between two looks of a reader that hears hints."""

DEAF_POLL_SECONDS = 0.1
"""The same for one that does not: behind PgBouncer, or without a connection for it."""

NOTIFY_SECONDS = 0.005
"""Between two hints of a process at least: one stands for all commits in that time."""

QUIET_SECONDS = 1.0
"""For how long nothing is sent where nobody listens."""

_READERS = "hashtext('sternpost outbox readers')"
_HEAR = f"SELECT pg_advisory_lock_shared({_READERS})"
"""Tells processes that write that somebody listens: none of them gets the lock for itself alone then."""

_NOTIFY = f"""SELECT pg_notify('{CHANNEL}', ''), set_config('synchronous_commit', 'off', true)
WHERE NOT pg_try_advisory_xact_lock({_READERS})"""
"""Nothing where nobody listens. What is notified is no more than a hint, so no disk is waited for."""


class Listening:
    """Sends hints, and hears them on a connection of its own from the first time that somebody waits for one.

    Args:
        connect: makes a connection.
        run: runs a statement on any other.
        hints: of this process, which are given for its own commits and for those of others.
        possible: whether a connection is that of one session of the server.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        run: Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]],
        hints: Hints,
        *,
        possible: bool,
    ) -> None:
        self._connect = connect
        self._run = run
        self._hints = hints
        self._possible = possible
        self._connection: Any = None
        self._opening: Any = None
        """A connection that is about to hear hints."""
        self._closed = False
        self._connecting = asyncio.Lock()
        self._sending: asyncio.Task[None] | None = None
        self._wanted = False
        self._quiet_until = 0.0

    # -- hearing

    async def listen(self) -> float:
        """Makes sure that hints are heard, where that is possible; after how long to look without one."""
        if not self._possible:
            return DEAF_POLL_SECONDS
        async with self._connecting:
            if self._connection is None and not self._closed:
                await self._open()
        return DEAF_POLL_SECONDS if self._connection is None else LISTENING_POLL_SECONDS

    async def _open(self) -> None:
        """A new connection. Where there is none to be had a reader looks more often, and tries again then."""
        try:
            connection = await self._connect()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return
        if self._closed:
            connection.terminate()
            return
        self._opening = connection
        try:
            connection.add_termination_listener(self._ended)
            await connection.add_listener(CHANNEL, self._heard)
            await connection.execute(_HEAR)
        except BaseException as error:
            connection.terminate()
            if isinstance(error, OSError | asyncpg.PostgresError | asyncpg.InterfaceError):
                return
            raise
        finally:
            self._opening = None
        self._connection = connection
        self._hints.give()  # for what was written since the last look

    def _heard(self, *_: object) -> None:
        self._hints.give()

    def _ended(self, connection: Any) -> None:
        if connection is self._connection:
            self._connection = None
            self._hints.give()

    # -- sending

    def committed(self, *_: object) -> None:
        """Events were committed by this process."""
        self._hints.give()
        self._wanted = True
        if self._possible and self._sending is None:
            loop = asyncio.get_running_loop()
            if loop.time() >= self._quiet_until:
                self._sending = loop.create_task(self._send(loop))

    async def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            while self._wanted:
                self._wanted = False
                if not await self._run(_NOTIFY, ()):
                    self._quiet_until = loop.time() + QUIET_SECONDS
                    return
                await asyncio.sleep(NOTIFY_SECONDS)
        except SternpostError:
            return  # the database is away, or busy: readers look by themselves
        finally:
            self._sending = None

    async def close(self) -> None:
        """Gives the connection back, also one that is only being made. None is made afterwards."""
        self._closed = True
        connection, self._connection = self._connection or self._opening, None
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])
        if connection is not None:
            connection.terminate()

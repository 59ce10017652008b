"""Reads on streaming replicas that see every write acknowledged before them, by any client of any process.

A read first asks the primary how far its log is flushed: one tiny statement, shared by all reads of the moment. It then
goes to a replica that has replayed the log up to there, waits a moment for it, and goes to the primary where none is so
far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from sternpost.errors import SternpostError, Timeout, Unavailable, WriteConflict
from sternpost.storage.postgresql.pool import Pool
from sternpost.storage.sql.grouping import Grouping

PATIENCE_SECONDS = 0.02
"""How long a read waits for a replica that is a little behind."""

LOOK_SECONDS = 0.25
"""How often a replica is checked when no read waits for it."""

LOOK_AGAIN_SECONDS = 0.001
"""The same while a read waits for it."""

ANSWER_SECONDS = 1.0
"""A replica that does not answer a check in this time is unavailable; its reads are repeated elsewhere."""

_AWAY = (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)

NO_REPLICA = "it is not a replica: it was promoted, or its address is that of a primary"

_PRIMARY = """SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint,
('x' || substr(pg_walfile_name(pg_current_wal_flush_lsn()), 1, 8))::bit(32)::bigint"""
_PRIMARY_SYSTEM = "SELECT system_identifier FROM pg_control_system()"
_REPLICA = """SELECT pg_is_in_recovery(), (pg_last_wal_replay_lsn() - '0/0')::bigint,
(SELECT system_identifier FROM pg_control_system()),
greatest((SELECT timeline_id FROM pg_control_checkpoint()),
    (SELECT min_recovery_end_timeline FROM pg_control_recovery()))"""

Fetch = Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]]
FetchFrom = Callable[[str, tuple[Any, ...], Pool], Awaitable[Sequence[Any]]]
Connect = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a server's log: bytes from its beginning, and the timeline, which a promotion changes."""

    bytes: int
    timeline: int


class Replica:
    """A streaming replica, looked at all the time by a task.

    Attributes:
        reason: why it is not used; None where it is.
        position: how far it has replayed the primary's log.
    """

    def __init__(self, connect: Connect, pool: Pool) -> None:
        self.pool = pool
        self.reason: str | None = "it has not been reached yet"
        self.position = Position(0, 0)
        self.system: int | None = None
        self._connect = connect
        self._missed = 0
        """The farthest position that a read waited for without success."""
        self._waiting: dict[asyncio.Future[bool], Position] = {}
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def late(self) -> bool:
        """Whether it was waited for in vain, and is still not where it should have been."""
        return self.position.bytes < self._missed

    def open(self) -> None:
        """Begins to look at it."""
        self._task = asyncio.get_running_loop().create_task(self._look())

    async def close(self) -> None:
        """Ends every connection to it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._answer_waiting(away=True)
        await self.pool.close()

    async def reached(self, wanted: Position) -> bool:
        """Whether it has replayed the log up to there, now or in a moment."""
        if self.reason is not None or self.position.timeline != wanted.timeline:
            return False
        if self.position.bytes >= wanted.bytes:
            return True
        if self.late:
            return False
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting[future] = wanted
        alarm = loop.call_later(PATIENCE_SECONDS, self._give_up, future)
        self._wanted.set()
        try:
            return await future
        finally:
            alarm.cancel()
            self._waiting.pop(future, None)

    def away(self, reason: str) -> None:
        """Takes it out of use until it has answered again. What it was asked for fails at once, and is asked
        elsewhere."""
        self.reason = reason
        self.pool.cut()
        self._answer_waiting(away=True)

    # -- parts

    def _give_up(self, future: asyncio.Future[bool]) -> None:
        if not future.done():
            self._missed = max(self._missed, self._waiting[future].bytes)
            future.set_result(False)

    async def _look(self) -> None:
        while True:
            connection = None
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    connection = await self._connect()
                while True:
                    async with asyncio.timeout(ANSWER_SECONDS):
                        row = await connection.fetchrow(_REPLICA)
                    self._seen(*row)
                    await self._pause()
            except _AWAY as error:
                self.away(f"it is unavailable: {type(error).__name__}")
            finally:
                if connection is not None:
                    connection.terminate()
            await asyncio.sleep(LOOK_SECONDS)

    def _seen(self, replica: bool, replayed: int | None, system: int | None, timeline: int | None) -> None:
        if not replica or replayed is None:
            if self.reason != NO_REPLICA:
                self.away(NO_REPLICA)
            return
        if self.reason is not None or system != self.system:
            self._missed = 0
        self.position, self.system, self.reason = Position(replayed, timeline or 0), system, None
        self._answer_waiting()

    def _answer_waiting(self, *, away: bool = False) -> None:
        for future, wanted in self._waiting.items():
            if not future.done() and (away or self.position.bytes >= wanted.bytes):
                future.set_result(not away and self.position.timeline == wanted.timeline)

    async def _pause(self) -> None:
        if self._waiting:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            return
        self._wanted.clear()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await self._wanted.wait()
        except TimeoutError:
            return


class ReplicatedReads:
    """Sends each read to a replica, or to the primary.

    Args:
        primary: runs a statement on the primary.
        fetch_from: runs a statement on a connection of a pool.
    """

    def __init__(self, replicas: Sequence[Replica], primary: Fetch, fetch_from: FetchFrom) -> None:
        self.replicas = replicas
        self._primary = primary
        self._fetch_from = fetch_from
        self._system: int | None = None
        self._next = 0
        self._positions: Grouping[None, None, Position] = Grouping(self._ask_primary)

    def open(self) -> None:
        """Begins to look at the replicas."""
        for replica in self.replicas:
            replica.open()

    async def close(self) -> None:
        """Ends every connection to them."""
        self._positions.close()
        await asyncio.gather(*(replica.close() for replica in self.replicas))

    async def fetch(self, text: str, arguments: tuple[Any, ...]) -> Sequence[Any]:
        """Runs a read. Raises what the primary raises; a replica's failure only costs time."""
        if all(replica.reason is not None for replica in self.replicas):
            return await self._primary(text, arguments)
        wanted = await self._positions.join(None, None)
        for replica in self._in_turn():
            if replica.system != self._system or not await replica.reached(wanted):
                continue
            try:
                return await self._fetch_from(text, arguments, replica.pool)
            except (
                Unavailable,
                WriteConflict,
                Timeout,
            ):  # away, cut off, or in the way of the replay: the primary is not
                continue
        return await self._primary(text, arguments)

    def check(self, number: int) -> Callable[[], Awaitable[None]]:
        """The readiness check of one replica."""

        async def check() -> None:
            replica = self.replicas[number]
            if replica.reason is not None:
                raise Unavailable(log={"reason": replica.reason})
            wanted = await self._positions.join(None, None)
            if replica.system != self._system:
                raise Unavailable(log={"reason": "it is a replica of a different server"})
            if replica.position.timeline != wanted.timeline:
                raise Unavailable(log={"reason": "it has not been seen to follow the new primary after a promotion"})
            if not await replica.reached(wanted):
                behind = wanted.bytes - replica.position.bytes
                raise Unavailable(log={"reason": f"it is {behind} bytes of WAL behind the primary"})

        return check

    async def _ask_primary(self, kind: None, take: Callable[[], list[None]]) -> Sequence[Position | Exception]:
        parts = take()
        if self._system is None:
            self._system = (await self._primary(_PRIMARY_SYSTEM, ()))[0][0]
        try:
            row = (await self._primary(_PRIMARY, ()))[0]
        except SternpostError:
            self._system = None  # it may be another server when it comes back
            raise
        return [Position(*row)] * len(parts)

    def _in_turn(self) -> Sequence[Replica]:
        self._next = first = (self._next + 1) % len(self.replicas)
        return (*self.replicas[first:], *self.replicas[:first])

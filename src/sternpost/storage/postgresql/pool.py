"""Held connections: taken and given back without a round trip, because nothing in Sternpost changes a
session's state."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

SETTLE_SECONDS = 5.0
"""How long a connection whose statement was cut off may take to answer again, before it is given up."""

Connect = Callable[[], Awaitable[Any]]


class Pool:
    """At most `size` connections, made when they are needed; the one used last is used first.

    Args:
        connect: makes a connection.
        timeout_seconds: how long a request waits for a connection.
    """

    def __init__(self, connect: Connect, *, size: int, timeout_seconds: float) -> None:
        self.size = size
        self.timeout_seconds = timeout_seconds
        self._connect = connect
        self._idle: list[Any] = []
        self._open: dict[Any, int] = {}
        """Every open connection with the generation it belongs to."""
        self._connecting = 0
        self._waiters: deque[asyncio.Future[Any]] = deque()
        self._deadlines: dict[asyncio.Future[Any], float] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._generation = 0
        self._settling: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def in_use(self) -> int:
        """How many connections are not at rest."""
        return len(self._open) - len(self._idle)

    async def acquire(self) -> Any:
        """A connection for the caller alone. Raises `TimeoutError`, and what connecting raises."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._forget(connection)
        if len(self._open) + self._connecting < self.size:
            return await self._connect_one()
        return await self._wait()

    def release(self, connection: Any) -> None:
        """Gives a connection back that is ready for its next statement."""
        if connection.is_closed() or self._open.get(connection) != self._generation or self._closed:
            self.discard(connection)
        else:
            self._hand_on(connection)

    def settle(self, connection: Any) -> None:
        """Gives a connection back whose work was cut off: it is used again once the server has ended its statement."""
        if connection.is_closed():
            self.discard(connection)
            return
        task = asyncio.get_running_loop().create_task(self._settle(connection))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def discard(self, connection: Any) -> None:
        """Closes a connection; a waiting caller gets a new one."""
        self._forget(connection)
        if not connection.is_closed():
            connection.terminate()
        self._make_one_for_waiter()

    def expire(self) -> None:
        """Replaces every connection before it is used again: what cut one of them has cut the others too."""
        self._generation += 1
        idle, self._idle = self._idle, []
        for connection in idle:
            self.discard(connection)

    def cut(self) -> None:
        """Ends every connection at once; what is under way on them fails as when the server cuts them."""
        self.expire()
        for connection in list(self._open):
            connection.terminate()

    async def close(self) -> None:
        """Ends every connection; those still in use are cut off after the time limit."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        for waiter in self._waiters:
            waiter.cancel()
        for task in self._settling:
            task.cancel()
        idle, self._idle = self._idle, []
        try:
            async with asyncio.timeout(self.timeout_seconds):
                for connection in idle:
                    await connection.close()
        except (TimeoutError, OSError):
            pass  # a server that is gone cannot say goodbye
        finally:
            for connection in list(self._open):
                self._forget(connection)
                connection.terminate()

    # -- parts

    async def _connect_one(self) -> Any:
        generation = self._generation
        self._connecting += 1
        try:
            async with asyncio.timeout(self.timeout_seconds):
                connection = await self._connect()
        except BaseException:
            self._connecting -= 1
            self._make_one_for_waiter()
            raise
        self._connecting -= 1
        self._open[connection] = generation
        return connection

    async def _wait(self) -> Any:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Any] = loop.create_future()
        self._waiters.append(waiter)
        self._deadlines[waiter] = loop.time() + self.timeout_seconds
        if self._alarm is None:
            self._alarm = loop.call_later(self.timeout_seconds, self._expire_waiters, loop)
        try:
            found = await waiter
        except asyncio.CancelledError:
            if waiter.cancelled() or waiter.exception() is not None:
                with contextlib.suppress(ValueError):
                    self._waiters.remove(waiter)
            elif waiter.result() is not None:
                self.release(waiter.result())  # it came in the same turn as the cancellation
            else:
                self._make_one_for_waiter()
            raise
        finally:
            del self._deadlines[waiter]
        return found if found is not None else await self.acquire()

    def _expire_waiters(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends the wait of callers whose time is up. One timer serves all of them: one for each would cost more."""
        self._alarm = None
        now = loop.time()
        for waiter, deadline in self._deadlines.items():
            if deadline <= now and not waiter.done():
                waiter.set_exception(TimeoutError("no connection became free"))
        rest = [deadline for deadline in self._deadlines.values() if deadline > now]
        if rest:
            self._alarm = loop.call_at(min(rest), self._expire_waiters, loop)

    def _hand_on(self, connection: Any) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)

    def _make_one_for_waiter(self) -> None:
        """There is room again: wakes the first that waits, who then connects."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _forget(self, connection: Any) -> None:
        self._open.pop(connection, None)

    async def _settle(self, connection: Any) -> None:
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                # The driver sends nothing before the server has confirmed that the statement was cancelled; only then
                # it is known whether a transaction is open, so it is ended in any case.
                await connection.execute("ROLLBACK")
        except BaseException as error:
            self.discard(connection)
            if not isinstance(error, Exception):
                raise
            return
        self.release(connection)

"""Held connections: taken and given back without a round trip, because nothing in Sternpost changes a
session's state."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Protocol

from sternpost.ports.pools import PoolUse
from sternpost.storage.sql.waits import Waits

SETTLE_SECONDS = 5.0
"""How long a connection whose statement was cut off may take to answer again, before it is given up."""

CONNECT_SECONDS = 3.0
"""An attempt to connect that has not succeeded by then is given up for a new one: its packets may be lost for good."""

LOOK_SECONDS = 0.25
"""How often it is looked whether a statement is overdue."""

SILENT_SECONDS = 1.0
"""A statement that has taken so long is overdue: the server is asked, on another connection, whether it works on it."""

ASK_SECONDS = 1.5
"""How long that may take, with making the connection, before it is tried again."""

Connect = Callable[[], Awaitable[Any]]


class Sessions(Protocol):
    """The server's ends of connections, asked about on another one."""

    async def at_work(self, asking: Any, connections: Collection[Any]) -> Collection[Any]:
        """Those for which the server is at work."""
        ...

    async def end(self, asking: Any, connections: Collection[Any]) -> None:
        """Ends those that the server still has, with their transactions."""
        ...


class Pool:
    """At most `size` connections, made when they are needed; the one used last is used first.

    A connection can die without a sign: the machine at its other end fails, or something between forgets it. What is
    sent is then lost, and no answer comes. So a statement that takes long is checked at the server, and a connection
    whose server has nothing to do for it is cut off; what waits on it fails, and all others are replaced, too.

    Args:
        connect: makes a connection.
        timeout_seconds: how long a request waits for a connection.
        sessions: None where the server cannot tell about them.
        limit_seconds: how long a statement may take on the server; None for no limit.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        size: int,
        timeout_seconds: float,
        sessions: Sessions | None = None,
        limit_seconds: float | None = None,
    ) -> None:
        self.size = size
        self.timeout_seconds = timeout_seconds
        self.limit_seconds = limit_seconds
        self._connect = connect
        self._sessions = sessions
        self._sent: dict[Any, float] = {}
        """When the statement was sent whose answer a connection waits for."""
        self._limits: dict[Any, float | None] = {}
        """The limits of connections that have one of their own for now."""
        self._look_timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: list[Any] = []
        self._open: dict[Any, int] = {}
        """Every open connection with the generation it belongs to."""
        self._connecting = 0
        self._waiters: deque[asyncio.Future[Any]] = deque()
        self._waits = Waits()
        self._deadlines: dict[asyncio.Future[Any], float] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._generation = 0
        self._settling: set[asyncio.Task[None]] = set()
        self._making: set[asyncio.Task[Any]] = set()
        self._closed = False

    def use(self, name: str) -> PoolUse:
        """How busy it is."""
        waits = self._waits
        return PoolUse(name, self.size, self.in_use, waits.waiting, waits.count, waits.seconds)

    @property
    def in_use(self) -> int:
        """How many connections are not at rest."""
        return len(self._open) - len(self._idle)

    async def acquire(self) -> Any:
        """A connection for the caller alone. Raises `TimeoutError`, and what connecting raises."""
        connection = self.idle()
        if connection is not None:
            return connection
        if len(self._open) + self._connecting < self.size:
            return await self._connect_one()
        return await self._wait()

    def idle(self) -> Any | None:
        """A connection that is at rest, for the caller alone, or None where none is."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
            self._forget(connection)
        return None

    def release(self, connection: Any) -> None:
        """Gives a connection back that is ready for its next statement."""
        if self._limits:
            self._limits.pop(connection, None)
        if connection.is_closed() or self._open.get(connection) != self._generation or self._closed:
            self.discard(connection)
        else:
            self._hand_on(connection)

    def sent(self, connection: Any) -> None:
        """A statement is sent on the connection just now."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        self._sent[connection] = loop.time()
        if self._look_timer is None:
            self._look_timer = loop.call_later(LOOK_SECONDS, self._look, loop)

    def answered(self, connection: Any) -> None:
        """What was sent is answered, one way or the other."""
        self._sent.pop(connection, None)

    def limit(self, connection: Any, seconds: float | None) -> None:
        """How long a statement may take on the server, until the connection is given back."""
        self._limits[connection] = seconds

    def settle(self, connection: Any) -> None:
        """Gives a connection back whose work was cut off: it is used again once the server has ended its statement."""
        if connection.is_closed():
            self.discard(connection)
            return
        self._limits.pop(connection, None)
        if connection not in self._sent:
            self.sent(connection)
        task = asyncio.get_running_loop().create_task(self._settle(connection))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    def discard(self, connection: Any) -> None:
        """Closes a connection; a waiting caller gets a new one."""
        self._forget(connection)
        if not connection.is_closed():
            connection.terminate()
        self._make_one_for_waiter()

    def lost(self, connection: Any) -> None:
        """Closes a connection that the server has closed, or does not answer on; the others are replaced, too."""
        if self._open.get(connection) == self._generation:
            self.expire()
        self.discard(connection)

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
        for timer in (self._alarm, self._look_timer):
            if timer is not None:
                timer.cancel()
        if self._asking is not None:
            self._asking.cancel()
        for waiter in self._waiters:
            waiter.cancel()
        for task in (*self._settling, *self._making):
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
        """A new connection. Whoever is cancelled meanwhile leaves it to the next: where time limits are short, none
        would ever be made otherwise."""
        self._connecting += 1
        making = asyncio.get_running_loop().create_task(self._make(self._generation))
        self._making.add(making)
        making.add_done_callback(self._making.discard)
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:
            making.add_done_callback(self._leave_to_next)
            raise

    async def _make(self, generation: int) -> Any:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                connection = await self._connect_soon()
        except BaseException:
            self._connecting -= 1
            self._make_one_for_waiter()
            raise
        self._connecting -= 1
        self._open[connection] = generation
        return connection

    def _leave_to_next(self, made: asyncio.Task[Any]) -> None:
        if not made.cancelled() and made.exception() is None:
            self.release(made.result())

    async def _connect_soon(self) -> Any:
        while True:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await self._connect()
            except TimeoutError:  # it is tried again until the caller's own time is up
                continue

    async def _wait(self) -> Any:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Any] = loop.create_future()
        self._waiters.append(waiter)
        self._deadlines[waiter] = loop.time() + self.timeout_seconds
        if self._alarm is None:
            self._alarm = loop.call_later(self.timeout_seconds, self._expire_waiters, loop)
        try:
            found = await self._waits.during(waiter)
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
        self._sent.pop(connection, None)
        self._limits.pop(connection, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Looks for overdue statements as long as there are any at all."""
        self._look_timer = loop.call_later(LOOK_SECONDS, self._look, loop) if self._sent else None
        now = loop.time()
        for connection, since in list(self._sent.items()):
            limit = self._limits.get(connection, self.limit_seconds)
            if limit is not None and now - since > limit + SILENT_SECONDS:
                self._cut_off(connection)  # the server should have ended it
        if self._sessions is not None and self._asking is None and self._overdue(loop):
            self._asking = loop.create_task(self._ask(loop, self._sessions))

    def _overdue(self, loop: asyncio.AbstractEventLoop) -> dict[Any, float]:
        now = loop.time()
        return {connection: since for connection, since in self._sent.items() if now - since > SILENT_SECONDS}

    async def _ask(self, loop: asyncio.AbstractEventLoop, sessions: Sessions) -> None:
        """Asks the server about what is overdue, as long as anything is, on a connection beside those of the pool."""
        asking: Any = None
        quiet: dict[Any, float] = {}
        """For what the server was not at work when it was asked before: its answer may have been on its way."""
        try:
            while overdue := self._overdue(loop):
                try:
                    async with asyncio.timeout(ASK_SECONDS):
                        asking = asking or await self._connect()
                        quiet = await self._compare(asking, sessions, overdue, quiet)
                except Exception:  # noqa: BLE001  (there is no answer, so nothing is known; the next look asks again)
                    if asking is not None:
                        asking.terminate()
                    asking = None
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._asking = None
            if asking is not None:
                asking.terminate()

    async def _compare(
        self, asking: Any, sessions: Sessions, overdue: dict[Any, float], quiet: dict[Any, float]
    ) -> dict[Any, float]:
        """Cuts off what is silent for the second time; what is so for the first time."""
        working = await sessions.at_work(asking, overdue)
        silent = {connection: since for connection, since in overdue.items() if connection not in working}
        dead = [
            connection
            for connection, since in silent.items()
            if quiet.get(connection) == since == self._sent.get(connection)
        ]
        for connection in dead:
            self._cut_off(connection)
        if dead:  # the server does not know yet, and keeps what their transactions have locked
            await sessions.end(asking, dead)
        return silent

    def _cut_off(self, connection: Any) -> None:
        """What waits for its answer fails, as when the server closes it. Whatever silenced it has silenced others,
        too."""
        self._sent.pop(connection, None)
        if self._open.get(connection) == self._generation:
            self.expire()
        connection.terminate()

    async def _settle(self, connection: Any) -> None:
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                # The driver sends nothing before the server has confirmed that the statement was cancelled; only then
                # it is known whether a transaction is open, so it is ended in any case.
                await connection.execute("ROLLBACK")
            self.answered(connection)
        except BaseException as error:
            self.discard(connection)
            if not isinstance(error, Exception):
                raise
            return
        self.release(connection)

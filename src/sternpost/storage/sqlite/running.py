"""Runs SQL text on a SQLite file: reads outside a transaction, the statements of one, and snapshots for exports."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from dataclasses import astuple
from typing import Any, Generic, Protocol, TypeVar

from sternpost.errors import Timeout
from sternpost.plan.audit import AUDIT_TABLE
from sternpost.ports.storage import Origin
from sternpost.storage.sql.failures import ENDED
from sternpost.storage.sql.reads import PointStatement
from sternpost.storage.sqlite.connections import INLINE_STEPS, INLINE_TURNS, Budget, Connections
from sternpost.storage.sqlite.failures import FileLocked, guarded, translated

_NEWEST_ENTRY = f"SELECT coalesce(max(id), 0) FROM {AUDIT_TABLE}"
_SIGN_ENTRIES = f"UPDATE {AUDIT_TABLE} SET actor = ?, operation = ?, request_id = ? WHERE id > ?"

T = TypeVar("T")

_ONE_AT_A_TIME = "A transaction runs one statement at a time: await its calls one after the other"

LONG_MAX = 1000
"""How many statements are remembered to take long."""

STEPS_BETWEEN_LOOKS = 10_000
"""Steps of SQLite's machine, some tenths of a millisecond, between two looks whether a read is still waited for."""

INTERRUPT_SECONDS = 0.05


class FileReads(Protocol):
    """How a file is read outside a transaction."""

    def read_inline(self, text: str, arguments: tuple[Any, ...]) -> list[Any]:
        """A read by key, in the event loop."""
        ...

    async def read_list(self, text: str, arguments: tuple[Any, ...]) -> list[Any]:
        """A read of unknown length."""
        ...

    async def read_in_thread(self, text: str, arguments: tuple[Any, ...]) -> list[Any]:
        """A longer read, in a reader thread."""
        ...

    async def records_in_thread(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        """An author's own statement, on a connection that cannot write."""
        ...


class Reads:
    """Reads outside a transaction."""

    shares = False

    def __init__(self, file: FileReads) -> None:
        self.file = file

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        return self.file.read_inline(text, arguments) if short else await self.file.read_list(text, arguments)

    async def records(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        return await self.file.records_in_thread(text, arguments)

    async def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Any:
        rows = self.file.read_inline(statement.one.text, statement.one.bind(named))
        return rows[0] if rows else None


class PatientReads(Reads):
    """Reads of an external file: without a write-ahead log a commit, or another program, may lock it.

    Such a read is done once more in a thread, which can wait.
    """

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        try:
            return await super().fetch(text, arguments, short=short)
        except FileLocked:
            return await self.file.read_in_thread(text, arguments)

    async def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Any:
        rows = await self.fetch(statement.one.text, statement.one.bind(named), short=True)
        return rows[0] if rows else None


class LongStatements:
    """Texts of statements that took too long for the event loop.

    Args:
        always: what stands in statements that go to a thread at once, because they may be long within one step; None
            where there are no such.
    """

    def __init__(self, always: str | None = None) -> None:
        self._texts: set[str] = set()
        self._always = always

    def __contains__(self, text: str) -> bool:
        return text in self._texts or (self._always is not None and self._always in text)

    def add(self, text: str) -> None:
        """Another one; of very many all are forgotten."""
        if len(self._texts) >= LONG_MAX:
            self._texts.clear()
        self._texts.add(text)


class Writes:
    """Statements of one transaction.

    Args:
        end: by the monotonic clock, when a statement that still runs is ended.
        long: lists that go to the thread at once.
        thread: where a list is read that takes long, and whatever the author wrote.
    """

    shares = False

    def __init__(
        self, connection: sqlite3.Connection, end: float | None, long: LongStatements, thread: ThreadPoolExecutor
    ) -> None:
        self.connection = connection
        self._end = end
        self._long = long
        self._thread = thread
        self._ended_by: Exception | None = None
        self._closed = False
        self._running: asyncio.Future[Any] | None = None
        """What the thread is doing with the connection."""
        self.keep_time()
        self._origin: Origin | None = None
        self._signed = 0
        """The newest entry of the audit trail that has its actor, or existed before the transaction."""
        self._many_changed = False
        """Whether it may have changed many rows."""

    def _ran(self, run: Callable[[], T]) -> T:
        """Runs something in the transaction, as long as there is one.

        SQLite ends a transaction by itself where it interrupts a statement that writes, or has no room: what follows
        would be outside of it, and be kept, whatever an author makes of the error.
        """
        self._check()
        return self._run(run)

    def close(self) -> None:
        """Ends its use: whoever still has it when the transaction ends would work in the next one."""
        self._closed = True

    def _check(self) -> None:
        """Before anything is done with the connection. While a thread works with it nothing else may touch it: that
        would wait for the thread, and the thread for Python's lock."""
        if self._running is not None:
            raise RuntimeError(_ONE_AT_A_TIME)
        if self._closed or not self.connection.in_transaction:
            raise copy(self._ended_by) if self._ended_by is not None else RuntimeError(ENDED)

    def _run(self, run: Callable[[], T]) -> T:
        try:
            return run()
        except sqlite3.Error as error:
            raise self._known(error) from error

    def _known(self, error: sqlite3.Error) -> Exception:
        known = translated(error)
        if not self.connection.in_transaction:
            self._ended_by = known
        return known

    async def settle(self) -> None:
        """Waits until the thread has ended what nobody waits for any more."""
        if self._running is not None:
            await _end(self._running, self.connection)
        self._running = None

    async def end(self) -> None:
        """Before the commit: what is still to be written; raises where the transaction has ended already."""
        self._ran(lambda: None)
        await self.sign()

    async def attribute(self, origin: Origin) -> None:
        await self.sign()
        self._signed = self._ran(lambda: self.connection.execute(_NEWEST_ENTRY).fetchone()[0])
        self._origin = origin

    async def sign(self) -> None:
        """Writes into the entries that the triggers have made since for whom they are: a trigger knows only its row."""
        if self._origin is not None:
            values = (*astuple(self._origin), self._signed)
            await self.execute(_SIGN_ENTRIES, values, short=not self._many_changed)

    def keep_time(self) -> None:
        """Ends a statement that exceeds the time limit. It may block the event loop, so timers of the loop cannot."""
        end = self._end
        if end is None:
            self.connection.set_progress_handler(None, 0)
        else:
            self.connection.set_progress_handler(lambda: time.monotonic() > end, STEPS_BETWEEN_LOOKS)

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        if not short:
            return await self._list(text, arguments)
        if self._closed or self._running is not None or not self.connection.in_transaction:
            self._check()
        try:  # written out: each new row comes through here
            return self.connection.execute(text, arguments).fetchall()
        except sqlite3.Error as error:
            raise self._known(error) from error

    async def _list(self, text: str, arguments: tuple[Any, ...]) -> Sequence[Any]:
        """A read of unknown length: in the event loop while it is short, else once more in the thread."""
        self._check()
        if text not in self._long:
            budget = Budget(INLINE_TURNS)
            self.connection.set_progress_handler(budget.spent, INLINE_STEPS)
            try:
                return self._ran(lambda: self.connection.execute(text, arguments).fetchall())
            except Timeout:
                if not self.connection.in_transaction:
                    raise
            finally:
                self.keep_time()
            self._long.add(text)
        return await self._in_thread(lambda: self.connection.execute(text, arguments).fetchall())

    async def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Any:
        rows = await self.fetch(statement.one.text, statement.one.bind(named), short=True)
        return rows[0] if rows else None

    async def records(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        return await self._in_thread(lambda: records_of(self.connection.execute(text, arguments)))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Does something with the connection in the thread. It has ended there before anything else is done with it."""
        self._check()
        ended = self._running = asyncio.wrap_future(self._thread.submit(self._run, work))
        try:
            found = await asyncio.shield(ended)
        except asyncio.CancelledError:
            await self.settle()
            raise
        finally:
            if ended.done():
                self._running = None
        return found

    async def execute(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> int:
        if short:
            return self._ran(lambda: self.connection.execute(text, arguments).rowcount)
        # A write cannot be tried in the event loop first: SQLite ends the transaction where it interrupts one.
        self._many_changed = True
        return await self._in_thread(lambda: self.connection.execute(text, arguments).rowcount)

    async def changed(self, text: str, arguments: tuple[Any, ...]) -> int:
        self._many_changed = True
        return await self._in_thread(lambda: _changed(self.connection.execute(text, arguments)))

    async def command(self, text: str) -> None:
        self._ran(lambda: self.connection.execute(text))


class ThreadRead(Generic[T]):
    """A read in a reader thread that can be ended, and nothing else on that thread's connection with it.

    SQLite asks now and then whether to go on: its own interruption is lost where it comes before the statement has
    begun.
    """

    def __init__(self, connections: Connections, work: Callable[[sqlite3.Connection], T]) -> None:
        self._connections = connections
        self._work = work
        self._abandoned = False

    def run(self) -> T:
        """Reads; called in the thread. Raises `Timeout` where nobody waits for it any more."""
        connection = self._connections.of_thread()
        if self._abandoned:
            raise Timeout
        connection.set_progress_handler(self._is_abandoned, STEPS_BETWEEN_LOOKS)
        try:
            return self._work(connection)
        finally:
            connection.set_progress_handler(None, 0)

    def abandon(self) -> None:
        """Ends it soon, where it has not ended."""
        self._abandoned = True

    def _is_abandoned(self) -> bool:
        return self._abandoned


class Snapshot:
    """Reads of one connection, in threads, one after the other."""

    shares = False

    def __init__(
        self,
        connection: sqlite3.Connection,
        threads: ThreadPoolExecutor,
    ) -> None:
        self._connection = connection
        self._threads = threads
        self._running: Future[Any] | None = None

    async def run(self, work: Callable[[], T]) -> T:
        self._running = self._threads.submit(guarded, work)
        return await asyncio.wrap_future(self._running)

    async def close(self) -> None:
        """Ends the connection; what a caller that is gone has left running in a thread is interrupted first."""
        if self._running is not None and not self._running.done():
            await _end(asyncio.wrap_future(self._running), self._connection)
        self._connection.close()

    async def fetch(self, text: str, arguments: tuple[Any, ...], *, short: bool) -> Sequence[Any]:
        return await self.run(lambda: self._connection.execute(text, arguments).fetchall())

    async def records(self, text: str, arguments: tuple[Any, ...]) -> list[dict[str, Any]]:
        return await self.run(lambda: records_of(self._connection.execute(text, arguments)))

    async def fetch_one(self, statement: PointStatement, named: dict[str, Any]) -> Any:
        rows = await self.fetch(statement.one.text, statement.one.bind(named), short=True)
        return rows[0] if rows else None

    async def parts(self, text: str, arguments: tuple[Any, ...], size: int) -> AsyncGenerator[Sequence[Any]]:
        cursor = await self.run(lambda: self._connection.execute(text, arguments))
        while rows := await self.run(lambda: cursor.fetchmany(size)):
            yield rows


async def _end(running: asyncio.Future[Any], connection: sqlite3.Connection) -> None:
    """Interrupts what a thread does with a connection, and waits for its end, however often that is cancelled."""
    while not running.done():
        connection.interrupt()  # one that comes before the statement has begun is lost
        with suppress(asyncio.CancelledError):
            await asyncio.wait([running], timeout=INTERRUPT_SECONDS)
    if not running.cancelled():
        running.exception()


def records_of(cursor: sqlite3.Cursor) -> list[dict[str, Any]]:
    """The rows of a statement by the names of its columns."""
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _changed(cursor: sqlite3.Cursor) -> int:
    cursor.fetchall()  # with RETURNING the count is known at the end
    return max(cursor.rowcount, 0)

"""Reads by key that are asked for at the same time, sent as one statement."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from typing import Any

from sternpost.storage.sql.statements import PointStatement

KEYS_MAX = 256
"""Keys of one statement."""

IN_FLIGHT_MAX = 2
"""Statements of one shape under way at a time; what arrives meanwhile goes with the next one."""

Fetch = Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]]


class _Batch:
    """The reads of one statement: those that wait for their turn, by key, and how many statements are under way."""

    __slots__ = ("in_flight", "others", "scheduled", "statement", "waiting")

    def __init__(self, statement: PointStatement, others: tuple[Any, ...]) -> None:
        self.statement = statement
        self.others = others
        self.waiting: dict[str, list[asyncio.Future[Any]]] = {}
        self.in_flight = 0
        self.scheduled = False


class PointReads:
    """Collects the reads of one turn of the event loop.

    Each read is sent after it was asked for, so it sees every change committed before. One statement for many keys costs
    the server process and the database a fraction of one statement for each.

    Args:
        fetch: runs a statement on a connection of its own.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._batches: dict[tuple[str, tuple[Any, ...]], _Batch] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def read(self, statement: PointStatement, key: str, others: tuple[Any, ...]) -> asyncio.Future[Any]:
        """The row with this key (32 hexadecimal digits), or None; `others` are the statement's other parameters."""
        loop = asyncio.get_running_loop()
        batch = self._batches.get((statement.many.text, others))
        if batch is None:
            batch = self._batches[(statement.many.text, others)] = _Batch(statement, others)
        future: asyncio.Future[Any] = loop.create_future()
        waiting = batch.waiting.get(key)
        if waiting is None:
            batch.waiting[key] = [future]
        else:
            waiting.append(future)
        if not batch.scheduled and batch.in_flight < IN_FLIGHT_MAX:
            batch.scheduled = True
            loop.call_soon(self._start, batch)
        return future

    def close(self) -> None:
        """Gives up what is under way."""
        for task in self._tasks:
            task.cancel()

    def _start(self, batch: _Batch) -> None:
        batch.scheduled = False
        waiting, batch.waiting = batch.waiting, {}
        if len(waiting) > KEYS_MAX:
            keys = list(waiting)
            batch.waiting = {key: waiting.pop(key) for key in keys[KEYS_MAX:]}
        if not waiting:
            self._end(batch)
            return
        batch.in_flight += 1
        task = asyncio.get_running_loop().create_task(self._run(batch, waiting))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, batch: _Batch, waiting: dict[str, list[asyncio.Future[Any]]]) -> None:
        try:
            rows = await self._fetch(batch.statement.many.text, batch.statement.bind_many(list(waiting), batch.others))
            found = {row[-1].hex: row for row in rows}
            for key, futures in waiting.items():
                row = found.get(key)
                for future in futures:
                    if not future.done():
                        future.set_result(row)
        except BaseException as error:
            # Each gets an exception of its own: one that is raised in many places collects all their tracebacks.
            for futures in waiting.values():
                for future in futures:
                    if not future.done():
                        if isinstance(error, asyncio.CancelledError):
                            future.cancel()
                        else:
                            future.set_exception(_own(error))
            if not isinstance(error, Exception):
                raise
        finally:
            batch.in_flight -= 1
            if batch.waiting:
                self._start(batch)
            else:
                self._end(batch)

    def _end(self, batch: _Batch) -> None:
        """Forgets a statement that nobody waits for: its other parameters may never come again."""
        if batch.others and not batch.in_flight and not batch.waiting and not batch.scheduled:
            self._batches.pop((batch.statement.many.text, batch.others), None)


def _own(error: BaseException) -> BaseException:
    own = copy(error)
    own.__cause__ = error
    return own

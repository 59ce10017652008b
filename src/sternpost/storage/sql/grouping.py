"""Statements that are asked for at the same time, sent as one.

One statement for the work of many requests costs the server process and the database a fraction of one for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from copy import copy
from typing import Any, Generic, TypeVar

SIZE_MAX = 256
IN_FLIGHT_MAX = 2

Key = TypeVar("Key", bound=Hashable)
Part = TypeVar("Part")
Result = TypeVar("Result")


class _Group(Generic[Part, Result]):
    """The parts of one kind that wait for their turn."""

    __slots__ = ("in_flight", "scheduled", "waiting")

    def __init__(self) -> None:
        self.waiting: list[tuple[Part, asyncio.Future[Result]]] = []
        self.in_flight = 0
        self.scheduled = False


class Grouping(Generic[Key, Part, Result]):
    """Collects what is asked for in one turn of the event loop, and while statements of its kind are under way.

    Each part is sent after it was asked for: a read sees every change that was committed before. A part whose caller has
    gone is not sent; one that is under way is finished for the others.

    Args:
        run: carries parts of one kind out, and gives for each its result or the exception to raise.
        size_max: parts that go together.
        in_flight_max: how many of one kind are under way at a time; what arrives meanwhile goes with the next.
    """

    def __init__(
        self,
        run: Callable[[Key, list[Part]], Awaitable[Sequence[Result | Exception]]],
        *,
        size_max: int = SIZE_MAX,
        in_flight_max: int = IN_FLIGHT_MAX,
    ) -> None:
        self._run = run
        self._size_max = size_max
        self._in_flight_max = in_flight_max
        self._groups: dict[Key, _Group[Part, Result]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        """The one loop that this works in. Asking for the running one is a system call each time."""

    def join(self, key: Key, part: Part) -> asyncio.Future[Result]:
        """The result of a part; `key` says which parts can go together."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group()
        future: asyncio.Future[Result] = loop.create_future()
        group.waiting.append((part, future))
        if not group.scheduled and group.in_flight < self._in_flight_max:
            group.scheduled = True
            loop.call_soon(self._start, key, group)
        return future

    def close(self) -> None:
        """Gives up what is under way. It may be used again, also in another loop."""
        self._loop = None
        for task in self._tasks:
            task.cancel()

    def _start(self, key: Key, group: _Group[Part, Result]) -> None:
        group.scheduled = False
        wanted = [pair for pair in group.waiting if not pair[1].done()]
        group.waiting = wanted[self._size_max :]
        if wanted:
            group.in_flight += 1
            task = asyncio.get_running_loop().create_task(self._carry_out(key, group, wanted[: self._size_max]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif not group.in_flight:
            self._groups.pop(key, None)

    async def _carry_out(
        self, key: Key, group: _Group[Part, Result], pairs: list[tuple[Part, asyncio.Future[Result]]]
    ) -> None:
        try:
            results = await self._run(key, [part for part, _ in pairs])
        except asyncio.CancelledError:
            for _, future in pairs:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001  (raised where the results are awaited)
            results = [error] * len(pairs)
        finally:
            group.in_flight -= 1
            if group.waiting:
                self._start(key, group)
            elif not group.in_flight and not group.scheduled:
                self._groups.pop(key, None)
        for (_, future), result in zip(pairs, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(_own(result) if len(pairs) > 1 else result)
            else:
                future.set_result(result)


def _own(error: Exception) -> Exception:
    """A copy for one of several: an exception that is raised in many places collects all their tracebacks."""
    own: Any = copy(error)
    own.__cause__ = error
    return own

"""Statements that are asked for at the same time, sent as one.

One statement for the work of many requests costs the server process and the database a fraction of one for each.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from copy import copy
from typing import Any, Generic, TypeVar

from sternpost.deadline import Deadline

SIZE_MAX = 256
IN_FLIGHT_MAX = 2

Key = TypeVar("Key", bound=Hashable)
Part = TypeVar("Part")
Result = TypeVar("Result")


class Apart(Exception):
    """Raised where nothing of a group was done because of one of its parts: each is to be carried out by itself, so
    that the others neither fail with it nor wait for it."""


class _Asked(Generic[Part, Result]):
    """A part, the future of its result, its time limit, and whether it is being carried out."""

    __slots__ = ("deadline", "future", "part", "taken")

    def __init__(self, part: Part, future: asyncio.Future[Result], deadline: Deadline | None) -> None:
        self.part = part
        self.future = future
        self.deadline = deadline
        self.taken = False

    def give_up(self) -> None:
        """The time is up."""
        if self.deadline is not None and not (self.taken or self.future.done()):
            self.future.set_exception(self.deadline.timeout())


class _Group(Generic[Part, Result]):
    """The parts of one kind that wait for their turn."""

    __slots__ = ("in_flight", "scheduled", "waiting")

    def __init__(self) -> None:
        self.waiting: list[_Asked[Part, Result]] = []
        self.in_flight = 0
        self.scheduled = False


class Grouping(Generic[Key, Part, Result]):
    """Collects what is asked for in one turn of the event loop, and while statements of its kind are under way.

    Each part is sent after it was asked for: a read sees every change that was committed before. A part whose caller
    has gone is not sent; one that is under way is finished for the others.

    Args:
        run: carries parts of one kind out, and gives for each its result or the exception to raise. It is given a
            function that takes the parts, and calls it once, when nothing has to be waited for any more before they are
            sent: a part that was given up until then is not among them. Of several parts it may raise `Apart`.
        size_max: parts that go together.
        in_flight_max: how many of one kind are under way at a time; what arrives meanwhile goes with the next.
    """

    def __init__(
        self,
        run: Callable[[Key, Callable[[], list[Part]]], Awaitable[Sequence[Result | Exception]]],
        *,
        size_max: int = SIZE_MAX,
        in_flight_max: int = IN_FLIGHT_MAX,
    ) -> None:
        self._run = run
        self._size_max = size_max
        self._in_flight_max = in_flight_max
        self._groups: dict[Key, _Group[Part, Result]] = {}
        self._tasks: dict[asyncio.Task[None], list[_Asked[Part, Result]]] = {}
        """What is under way, with who waits for it."""
        self._loop: asyncio.AbstractEventLoop | None = None
        """The one loop that this works in. Asking for the running one is a system call each time."""

    def join(self, key: Key, part: Part) -> asyncio.Future[Result]:
        """The result of a part; `key` says which parts can go together."""
        return self._ask(key, part).future

    def join_within(self, deadline: Deadline | None, key: Key, part: Part) -> asyncio.Future[Result]:
        """The same for whoever has a time limit, which is kept here from now on.

        A part that is being carried out when the time is up is waited for: nobody is told that it was given up while
        the database keeps it.

        Raises:
            Timeout: the time is up already. From the future: it was not being carried out by then, and never is.
        """
        asked = self._ask(key, part, deadline)
        if deadline is not None:
            try:
                deadline.committing(asked.give_up)
            except BaseException:
                asked.future.cancel()
                raise
        return asked.future

    def is_free(self, key: Key) -> bool:
        """Whether nothing of a kind is under way or waits. Raises `TypeError` for a key without a hash."""
        return key not in self._groups

    async def first(self, key: Key, carry_out: Callable[[], Awaitable[Result]]) -> Result:
        """Carries a part of a kind that is free out in the caller's own task, which costs no task and no turn of the
        loop. What arrives meanwhile goes together, as it does behind any other."""
        group = self._groups[key] = _Group()
        group.in_flight = 1
        try:
            return await carry_out()
        finally:
            self._ended(key, group)

    def forsake(self) -> None:
        """Ends what nobody waits for any more. For reads: what is written is not ended by those who go away."""
        for task, parts in list(self._tasks.items()):
            if all(asked.future.done() for asked in parts):
                task.cancel()

    def _ask(self, key: Key, part: Part, deadline: Deadline | None = None) -> _Asked[Part, Result]:
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group()
        asked: _Asked[Part, Result] = _Asked(part, loop.create_future(), deadline)
        group.waiting.append(asked)
        if not group.scheduled and group.in_flight < self._in_flight_max:
            group.scheduled = True
            loop.call_soon(self._start, key, group)
        return asked

    def close(self) -> None:
        """Gives up what is under way. It may be used again, also in another loop."""
        self._loop = None
        for task in self._tasks:
            task.cancel()

    def _start(self, key: Key, group: _Group[Part, Result]) -> None:
        group.scheduled = False
        wanted = [asked for asked in group.waiting if not asked.future.done()]
        group.waiting = wanted[self._size_max :]
        if wanted:
            group.in_flight += 1
            self._begin(key, group, wanted[: self._size_max])
        elif not group.in_flight:
            self._groups.pop(key, None)

    def _begin(self, key: Key, group: _Group[Part, Result], parts: list[_Asked[Part, Result]]) -> None:
        task = asyncio.get_running_loop().create_task(self._carry_out(key, group, parts))
        self._tasks[task] = parts
        task.add_done_callback(self._tasks.pop)

    def _ended(self, key: Key, group: _Group[Part, Result]) -> None:
        """A statement has been answered: the next one begins, where somebody waits."""
        group.in_flight -= 1
        if group.waiting:
            self._start(key, group)
        elif not group.in_flight and not group.scheduled and self._groups.get(key) is group:
            del self._groups[key]

    async def _carry_out(self, key: Key, group: _Group[Part, Result], parts: list[_Asked[Part, Result]]) -> None:
        def take() -> list[Part]:
            nonlocal parts
            parts = [asked for asked in parts if not asked.future.done()]
            for asked in parts:
                asked.taken = True
            return [asked.part for asked in parts]

        try:
            results = await self._run(key, take)
        except asyncio.CancelledError:
            for asked in parts:
                asked.future.cancel()
            raise
        except Apart:
            for asked in parts:
                alone: _Group[Part, Result] = _Group()
                alone.in_flight = 1
                self._begin(key, alone, [asked])
            return
        except Exception as error:  # noqa: BLE001  (raised where the results are awaited)
            results = [error] * len(parts)
        finally:
            self._ended(key, group)
        for asked, result in zip(parts, results, strict=True):
            future = asked.future
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(_own(result) if len(parts) > 1 else result)
            else:
                future.set_result(result)


def _own(error: Exception) -> Exception:
    """A copy for one of several: an exception that is raised in many places collects all their tracebacks."""
    own: Any = copy(error)
    own.__cause__ = error
    return own

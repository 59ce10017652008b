"""Time limits: what ends work that takes too long, and what happens to a change that is being committed by then.

One rule for every database: until a commit begins, the end of the time cancels the work, and nothing of it is kept.
From then on the work is not cancelled any more, because half of the truth would be answered: the database is asked to
give the commit up where it can do that, and what became of it is the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from sternpost.errors import Timeout

COARSE_SECONDS = 5.0
"""A limit from here on may be kept up to `SWEEP_SECONDS` late, and costs a third of a timer of its own: 0.7 µs where
`loop.call_later` takes 2.3 µs, and `asyncio.timeout` 4.5 µs."""

SWEEP_SECONDS = 0.25


class Alarm:
    """Something to do at a time, unless it is cancelled before."""

    __slots__ = ("_handle", "_open", "at", "ring")

    def __init__(self, at: float, ring: Callable[[], None], waiting: dict[Alarm, None]) -> None:
        self.at = at
        self.ring = ring
        self._open = waiting
        self._handle: asyncio.TimerHandle | None = None

    def cancel(self) -> None:
        """Does nothing where it has rung."""
        if self._handle is not None:
            self._handle.cancel()
        else:
            self._open.pop(self, None)


class Alarms:
    """Alarms of one event loop. The long ones share a timer, which looks at all of them now and then."""

    def __init__(self) -> None:
        self._open: dict[Alarm, None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def set(self, seconds: float, ring: Callable[[], None]) -> Alarm:
        """An alarm in so many seconds; called in the event loop, and `ring` is, too."""
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
        alarm = Alarm(loop.time() + seconds, ring, self._open)
        if seconds < COARSE_SECONDS:
            alarm._handle = loop.call_later(max(seconds, 0.0), ring)  # pyright: ignore[reportPrivateUsage]
        else:
            self._open[alarm] = None
            if self._timer is None:
                self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop)
        return alarm

    def close(self) -> None:
        """Forgets the loop; may be used again in another one."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop = None
        self._open.clear()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for alarm in [alarm for alarm in self._open if alarm.at <= now]:
            if self._open.pop(alarm, alarm) is None:  # another one may have cancelled it
                alarm.ring()
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if self._open else None


class CallerLeft(Exception):
    """Nobody waits for the result any more, so the work was ended."""


class Deadline:
    """A block that ends in time: `with Deadline(seconds, alarms) as deadline:` in the task that does the work.

    Args:
        seconds: from the beginning of the block; None for no limit.
        message: of the `Timeout`; by default that of the catalogue.

    Raises:
        Timeout: the time was up before the block ended, and before a commit began.
        CallerLeft: `leave` was called before.
    """

    __slots__ = ("_alarm", "_alarms", "_cancelling", "_end", "_message", "_on_late", "_task", "seconds")

    def __init__(self, seconds: float | None, alarms: Alarms, message: str | None = None) -> None:
        self.seconds = seconds
        self._alarms = alarms
        self._message = message
        self._alarm: Alarm | None = None
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._end: Exception | None = None
        """Why the task was cancelled, where it was."""
        self._on_late: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        task = self._task = asyncio.current_task()
        assert task is not None, "a deadline is kept in a task"
        self._cancelling = task.cancelling()
        if self.seconds is not None:
            self._alarm = self._alarms.set(self.seconds, self._ring)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        task, alarm = self._task, self._alarm
        self._task = self._alarm = self._on_late = None  # so that nothing is left for the garbage collector
        if alarm is not None:
            alarm.cancel()
        if self._end is not None and task is not None:
            others = task.uncancel() > self._cancelling  # somebody else has cancelled the task, too
            if not others and kind is asyncio.CancelledError:
                raise self._end from error

    def limit(self, seconds: float) -> None:
        """Sets the limit of a block that began without one, from now on."""
        self.seconds = seconds
        self._alarm = self._alarms.set(seconds, self._ring)

    def leave(self) -> None:
        """Ends the work because nobody waits for it; a commit that has begun goes on."""
        if self._on_late is None:
            self._cancel(CallerLeft())

    def committing(self, on_late: Callable[[], None]) -> None:
        """From here on the task is not cancelled; `on_late` is called when the time is up.

        Raises:
            Timeout, CallerLeft: it is up already.
        """
        if self._end is not None:  # somebody has caught the cancellation
            raise self._end
        self._on_late = on_late

    def again(self) -> None:
        """The work begins once more: its commit did not come about."""
        self._on_late = None

    def hand_over(self) -> float | None:
        """The seconds, for what keeps the limit by itself from here on. Raises as `committing`."""
        self.committing(_nothing)
        return self.seconds

    def _ring(self) -> None:
        if self._on_late is not None:
            self._on_late()
        else:
            self._cancel(Timeout(self._message, log={"timeoutSeconds": self.seconds}))

    def _cancel(self, why: Exception) -> None:
        if self._task is not None and self._end is None:
            self._end = why
            self._task.cancel()


def _nothing() -> None:
    """Whoever has taken the limit over is not told once more."""

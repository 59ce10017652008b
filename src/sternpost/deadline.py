"""Time limits: what ends work that takes too long, and what happens to a change that is being committed by then.

One rule for every database: until a commit begins, the end of the time cancels the work, and nothing of it is kept.
From then on the work is not cancelled any more, because half of the truth would be answered: the database is asked to
give the commit up where it can do that, and what became of it is the answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cached_property
from types import TracebackType
from typing import Self

from sternpost.errors import Timeout

COARSE_SECONDS = 5.0
"""A limit from here on may be kept up to two sweeps late, and costs a tenth of a timer of its own: what is open is
looked at now and then, and the time is read then, too."""

SWEEP_SECONDS = 0.25


class Alarm:
    """Something to do at a time, unless it is cancelled before."""

    __slots__ = ("_alarms", "_handle", "at", "ring")

    def __init__(self, ring: Callable[[], None], alarms: Alarms) -> None:
        self.at = 0.0
        self.ring = ring
        self._alarms = alarms
        self._handle: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        """With a timer of its own."""
        self._handle = loop.call_later(max(seconds, 0.0), self.ring)

    def cancel(self) -> None:
        """Does nothing where it has rung."""
        if self._handle is not None:
            self._handle.cancel()
        else:
            self._alarms.forget(self)


class Alarms:
    """Alarms of one event loop. The long ones share a timer, which looks at all of them now and then."""

    def __init__(self) -> None:
        self.open: set[Alarm | Deadline] = set()
        self.others: set[Deadline] = set()
        """Blocks that no sweep looks at: with a timer of their own, or without a limit."""
        self.now = 0.0
        """The time of the last sweep; right as long as there is a timer."""
        self.timer: asyncio.TimerHandle | None = None

    @cached_property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The one loop that they work in. Asking for the running one costs more."""
        return asyncio.get_running_loop()

    def set(self, seconds: float, ring: Callable[[], None]) -> Alarm:
        """An alarm in so many seconds; called in the event loop, and `ring` is, too."""
        alarm = Alarm(ring, self)
        if seconds < COARSE_SECONDS:
            alarm.start(self.loop, seconds)
        else:
            self.watch(alarm, seconds)
        return alarm

    def watch(self, timed: Alarm | Deadline, seconds: float) -> None:
        """Has it ring in so many seconds, or up to two sweeps later."""
        if self.timer is None:
            self.now = self.loop.time()
            self.timer = self.loop.call_later(SWEEP_SECONDS, self._sweep, self.loop)
        timed.at = self.now + seconds + SWEEP_SECONDS  # the present time is up to one sweep later
        self.open.add(timed)

    def forget(self, timed: Alarm | Deadline) -> None:
        """It does not ring any more."""
        self.open.discard(timed)

    def close(self) -> None:
        """Forgets the loop; may be used again in another one."""
        if self.timer is not None:
            self.timer.cancel()
        self.timer = None
        self.open.clear()
        self.others.clear()
        self.__dict__.pop("loop", None)

    def end(self, why: Exception) -> None:
        """Ends every open block before its time."""
        for timed in (*self.open, *self.others):
            if isinstance(timed, Deadline):
                timed.end(why)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = self.now = loop.time()
        for timed in [timed for timed in self.open if timed.at <= now]:
            if timed in self.open:  # another one may have cancelled it
                self.open.discard(timed)
                timed.ring()
        self.timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if self.open else None


class CallerLeft(Exception):
    """Nobody waits for the result any more, so the work was ended."""


class Deadline:
    """A block that ends in time: `with Deadline(seconds, alarms) as deadline:` in the task that does the work.

    Args:
        seconds: from the beginning of the block; None for no limit.
        message: of the `Timeout`; by default that of the catalogue.

    Raises:
        Timeout: the time was up before the block ended, and before a commit began. What `end` was given, in its place.
        CallerLeft: `leave` was called before.
    """

    # Every request has one, so what is rarely needed is set on the class.
    at: float = 0.0
    """When it is up, by the clock of the event loop: a long one up to two sweeps later than it might be."""
    _alarm: Alarm | None = None
    _is_up: bool = False
    _end: Exception | None = None
    """Why the task was cancelled, where it was."""
    _on_late: Callable[[], None] | None = None
    _reason: Exception | None = None
    """What is raised in place of a `Timeout`."""

    def __init__(self, seconds: float | None, alarms: Alarms, message: str | None = None) -> None:
        self.seconds = seconds
        self._alarms = alarms
        self._message = message
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> Self:
        alarms, seconds = self._alarms, self.seconds
        task = self._task = asyncio.current_task(alarms.loop)
        assert task is not None, "a deadline is kept in a task"
        self._cancelling = task.cancelling()
        if seconds is not None:
            if seconds < COARSE_SECONDS:
                self._set_alarm(seconds)
            elif alarms.timer is None:
                alarms.watch(self, seconds)
            else:  # written out, because each request comes through here
                self.at = alarms.now + seconds + SWEEP_SECONDS
                alarms.open.add(self)
        else:
            alarms.others.add(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        task = self._task
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
            self._alarms.others.discard(self)
        elif self.seconds is not None:
            self._alarms.open.discard(self)
        else:
            self._alarms.others.discard(self)
        self._task = self._on_late = None  # so that nothing is left for the garbage collector
        if self._end is not None and task is not None:
            others = task.uncancel() > self._cancelling  # somebody else has cancelled the task, too
            if not others and kind is asyncio.CancelledError:
                raise self._end from error

    def limit(self, seconds: float) -> None:
        """Sets the limit of a block that began without one, from now on."""
        self.seconds = seconds
        self._set_alarm(seconds)

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
        """The work begins once more: its commit did not come about. Raises `Timeout` where the time is up by now."""
        self._on_late = None
        if self._is_up:
            raise self.timeout()

    def hand_over(self) -> float | None:
        """When it is up, for what keeps the limit by itself from here on. Raises as `committing`."""
        self.committing(_nothing)
        return None if self.seconds is None else self.at

    def _set_alarm(self, seconds: float) -> None:
        self.at = self._alarms.loop.time() + seconds
        self._alarm = self._alarms.set(seconds, self.ring)
        self._alarms.others.add(self)

    def end(self, why: Exception) -> None:
        """Ends the block as if its time were up, with another reason. Does nothing where it is up."""
        if not self._is_up:
            self._reason = why
            self.ring()

    def ring(self) -> None:
        """The time is up."""
        self._is_up = True
        if self._on_late is not None:
            self._on_late()
        else:
            self._cancel(self.timeout())

    def timeout(self) -> Exception:
        """What is raised when it is up."""
        return self._reason or Timeout(self._message, log={"timeoutSeconds": self.seconds})

    def _cancel(self, why: Exception) -> None:
        if self._task is not None and self._end is None:
            self._end = why
            self._task.cancel()


def _nothing() -> None:
    """Whoever has taken the limit over is not told once more."""

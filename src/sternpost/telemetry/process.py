"""How busy a process is: its event loop, its memory, its descriptors, and the garbage collector."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sternpost.telemetry.measured import Histogram
from sternpost.telemetry.metric_names import (
    CPU,
    DESCRIPTORS,
    DESCRIPTORS_MAX,
    GC_RUNS,
    GC_SECONDS,
    LAG_BOUNDS,
    LOOP_LAG,
    MEMORY,
)
from sternpost.telemetry.metrics import Reading

LOOK_SECONDS = 0.25
_GENERATIONS = ("0", "1", "2")
_STATM = Path("/proc/self/statm")
_DESCRIPTORS = Path("/proc/self/fd")


class LoopLag:
    """By how much an event loop is late.

    Args:
        monotonic: read when the loop gets to it; its own time is that of the beginning of a turn.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._counts = [0] * (len(LAG_BOUNDS) + 1)
        self._seconds = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins, in the running loop."""
        self._set(asyncio.get_running_loop())

    def stop(self) -> None:
        """Ends it."""
        if self._timer is not None:
            self._timer.cancel()

    def read(self) -> Iterator[Reading]:
        """What was found since the start."""
        yield LOOP_LAG.name, (), Histogram(tuple(self._counts), self._seconds)

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = self._monotonic() + LOOK_SECONDS
        self._timer = loop.call_later(LOOK_SECONDS, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        late = max(self._monotonic() - self._due, 0.0)
        self._counts[bisect_left(LAG_BOUNDS, late)] += 1
        self._seconds += late
        self._set(loop)


class CollectorPauses:
    """How long Python's garbage collector stops everything."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._began = 0.0
        self._runs = [0] * len(_GENERATIONS)
        self._seconds = [0.0] * len(_GENERATIONS)

    def start(self) -> None:
        """Listens to the collector, which has one list of listeners for the whole process."""
        gc.callbacks.append(self._called)

    def stop(self) -> None:
        """Listens no more."""
        with contextlib.suppress(ValueError):  # it was never started
            gc.callbacks.remove(self._called)

    def read(self) -> Iterator[Reading]:
        """What was found since the start."""
        for generation, runs, seconds in zip(_GENERATIONS, self._runs, self._seconds, strict=True):
            yield GC_RUNS.name, (generation,), runs
            yield GC_SECONDS.name, (generation,), seconds

    def _called(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "start":
            self._began = self._monotonic()
            return
        generation = info["generation"]
        self._runs[generation] += 1
        self._seconds[generation] += self._monotonic() - self._began


def process_readings() -> Iterator[Reading]:
    """Of this process; what the system does not tell is left out."""
    yield CPU.name, (), time.process_time()
    with contextlib.suppress(OSError, ValueError, IndexError):  # only Linux has it
        pages = int(_STATM.read_bytes().split()[1])
        yield MEMORY.name, (), pages * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError):
        yield DESCRIPTORS.name, (), len(os.listdir(_DESCRIPTORS)) - 1  # one of them reads this
    if os.name == "posix":
        import resource

        yield DESCRIPTORS_MAX.name, (), resource.getrlimit(resource.RLIMIT_NOFILE)[0]

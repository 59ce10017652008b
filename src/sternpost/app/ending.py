"""The very end of a process: what does not end by itself is named in the log, and cut off.

asyncio waits for every task, though one may ignore that it is cancelled; and Python waits at its exit for every thread,
such as that of a function whose caller was answered long ago. No limit of ours reaches either.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from types import FrameType
from typing import Any

from sternpost.telemetry.events import CutOff
from sternpost.telemetry.telemetry import Telemetry

FRAMES = 12
"""How many of the innermost frames say where something stands."""

_MACHINERY = frozenset({"asyncio", "concurrent", "threading", "anyio", "uvloop"})
"""Packages whose frames say nothing of what runs in them."""


class Ending:
    """Ends this process with status 0, should it not have ended by itself in time.

    Args:
        loop: whose tasks are named.
        seconds: how long everything may still take.
    """

    def __init__(self, telemetry: Telemetry, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._telemetry = telemetry
        self._loop = loop
        self._seconds = seconds
        self._hurried = threading.Event()
        # as a daemon it does not keep the process alive itself
        threading.Thread(target=self._watch, daemon=True, name="ending").start()

    def hurry(self, number: int, frame: FrameType | None) -> None:
        """The signal handler from now on: nothing is waited for any more."""
        self._hurried.set()

    def _watch(self) -> None:
        self._hurried.wait(self._seconds)
        running = [*_tasks(self._loop), *_threads()]
        if running:
            self._telemetry.tell(CutOff(running=running))
        self._telemetry.flush()
        with contextlib.suppress(OSError, ValueError):  # closed already, or its reader is gone
            sys.stdout.flush()
            sys.stderr.flush()
        logging.shutdown()
        os._exit(0)


def _tasks(loop: asyncio.AbstractEventLoop) -> Iterator[str]:
    """Those that have not ended, and where each stands."""
    for task in asyncio.all_tasks(loop):
        place = _place(_awaiting(task.get_coro()))
        if place:  # one of asyncio's own waits for the threads
            yield f"task {task.get_name()}: {place}"


def _awaiting(coroutine: Any) -> Iterator[FrameType]:
    """The frames of coroutines that wait for each other, the innermost last."""
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None)
        if frame is not None:
            yield frame
        coroutine = getattr(coroutine, "cr_await", None)


def _threads() -> Iterator[str]:
    """Those that Python waits for, and that are not idle; the main thread is the one that waits."""
    frames = sys._current_frames()  # pyright: ignore[reportPrivateUsage]  (documented, for this)
    for thread in threading.enumerate():
        if thread.daemon or thread is threading.main_thread() or thread.ident not in frames:
            continue
        place = _place(reversed([*_callers(frames[thread.ident])]))
        if place:
            yield f"thread {thread.name}: {place}"


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _place(frames: Iterable[FrameType]) -> str:
    """Where something stands, the innermost call last; empty where it only waits for work."""
    own = [frame for frame in frames if not _is_machinery(frame)]
    return " > ".join(
        f"{frame.f_code.co_qualname} ({PurePath(frame.f_code.co_filename).name}:{frame.f_lineno})"
        for frame in own[-FRAMES:]
    )


def _is_machinery(frame: FrameType) -> bool:
    compiled = not frame.f_code.co_filename.endswith(".py")  # such as uvloop, whose frames name no package
    return compiled or frame.f_globals.get("__name__", "").partition(".")[0] in _MACHINERY

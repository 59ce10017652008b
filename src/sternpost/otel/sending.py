"""Threads that send what waits. A receiver that is slow or away costs what is dropped meanwhile, and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

STOP_SECONDS = 3.0
"""How long what waits may take to be sent at the end."""

GIVE_UP_SECONDS = 0.5
"""How much longer whoever sends may take to notice that it is given up."""


class Signal(Protocol):
    """Something that is sent: traces, log lines or metrics."""

    @property
    def name(self) -> str: ...

    def send(self) -> bool:
        """Sends some of what waits; whether so much is left that it should go on at once. Called in the thread."""
        ...

    @property
    def waits(self) -> bool:
        """Whether there is anything to be sent."""
        ...

    def end(self) -> None:
        """The service ends: what there is now is the last. Called in any thread."""
        ...

    def close(self) -> None:
        """Gives up what is being sent, and closes the connection. Called in any thread."""
        ...


class Sender:
    """Sends one signal in a thread of its own, every so often, or as soon as it is told that much waits.

    Args:
        told: told of an error that is a bug of ours, or of the SDK: it ends nothing.
    """

    def __init__(self, signal: Signal, every_seconds: float, told: Callable[[str, Exception], None]) -> None:
        self.signal = signal
        self._every_seconds = every_seconds
        self._told = told
        self._woken = threading.Event()
        self._until: float | None = None
        # as a daemon it does not keep the process alive, whatever its receiver does
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"sternpost-{signal.name}")

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def wake(self) -> None:
        """Much waits. Called in the way of calls."""
        if not self._woken.is_set():
            self._woken.set()

    def end(self, seconds: float = STOP_SECONDS) -> None:
        """Asks it to send what waits, and no longer than so many seconds."""
        self.signal.end()
        self._until = time.monotonic() + seconds
        self._woken.set()

    def wait(self) -> None:
        """Waits until it has ended, or is given up. Blocks: not for the event loop."""
        assert self._until is not None, "it was asked to end"
        self._thread.join(max(self._until - time.monotonic(), 0))
        self.signal.close()
        self._thread.join(GIVE_UP_SECONDS)

    def _run(self) -> None:
        while self._until is None:
            self._woken.wait(self._every_seconds)
            self._woken.clear()
            if self._until is not None:
                break
            while self._send() and self._until is None:
                pass
        while self.signal.waits and time.monotonic() < self._until:
            self._send()

    def _send(self) -> bool:
        try:
            return self.signal.send()
        except Exception as error:  # noqa: BLE001  (the thread must outlive it; it is told)
            self._told(self.signal.name, error)
            return False

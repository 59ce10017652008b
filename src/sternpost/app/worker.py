"""A worker process: serves from a socket that its supervisor holds, and does what the supervisor says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable

READY = b"r"
"""Worker to supervisor: requests are accepted."""

BEAT = b"b"
"""Worker to supervisor, once a second: requests are being worked on."""

BEAT_SECONDS = 1.0

RETIRE = b"e"
"""Supervisor to worker: another one has taken your place."""


class Link:
    """The worker's end of a pair of sockets. Its end of file means that the supervisor is gone.

    A thread listens to it from the first moment on, so that a worker whose start hangs does not outlive its supervisor.
    """

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._serving = False
        self.on_retire: Callable[[], None] = lambda: None
        threading.Thread(target=self._listen, daemon=True, name="supervisor").start()

    def ready(self) -> None:
        """Tells the supervisor that requests are accepted."""
        self._serving = True
        self._socket.sendall(READY)

    def beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tells the supervisor from now on that this event loop goes on; not from a thread, which would go on while
        the loop hangs."""
        # a supervisor that does not read, because it is stopped, must not stop the worker, too
        with contextlib.suppress(OSError):
            self._socket.send(BEAT, socket.MSG_DONTWAIT)
        loop.call_later(BEAT_SECONDS, self.beat, loop)

    def _listen(self) -> None:
        while self._told() == RETIRE:
            self.on_retire()
        if not self._serving:
            os._exit(0)
        os.kill(os.getpid(), signal.SIGTERM)

    def _told(self) -> bytes:
        try:
            return self._socket.recv(1)
        except OSError:  # it was killed
            return b""


def inherited(descriptor: int) -> socket.socket:
    """A listening socket that the supervisor passed on."""
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    return listener

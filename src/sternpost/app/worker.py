"""A worker process: serves from a socket that its supervisor holds, and does what the supervisor says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from sternpost.app.frames import Frames, Message, Outbox, framed

READY = b"r"
"""Worker to supervisor: requests are accepted."""

BEAT = b"b"
"""Worker to supervisor, once a second: requests are being worked on."""

BEAT_SECONDS = 1.0
FIRST_MESSAGE_SECONDS = 5.0
"""How long a worker that takes messages waits for the first one before it serves."""

LAST_SECONDS = 1.0
"""How long a worker waits at its end for the supervisor to take what it says."""

RETIRE = b"e"
"""Supervisor to worker: another one has taken your place."""


REASON_MAX = 4096
"""Characters of what a worker says why it does not start."""

CHUNK_BYTES = 65_536


class Link:
    """The worker's end of a pair of sockets. Its end of file means that the supervisor is gone.

    A thread listens to it from the first moment on, so that a worker whose start hangs does not outlive its supervisor.
    What the supervisor asks is kept until `attend`.

    Args:
        number: which of the workers this is.
    """

    def __init__(self, descriptor: int, number: int | None = None) -> None:
        self.number = number
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(True)
        self._outbox = Outbox(self._socket)
        self._inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answer: Callable[[Message], Any] = lambda message: None
        self._serving = False
        self._told_something = asyncio.Event()
        self.on_retire: Callable[[], None] = lambda: None
        threading.Thread(target=self._listen, daemon=True, name="supervisor").start()

    def ready(self) -> None:
        """Tells the supervisor that requests are accepted."""
        self._serving = True
        self._socket.sendall(READY)

    def failed(self, reason: str | None) -> None:
        """Tells the supervisor why this worker does not start, in place of `ready`."""
        if reason is not None and not self._serving:
            with contextlib.suppress(OSError):  # it is gone, and nobody wants to know
                self._socket.sendall(framed({"failed": reason[:REASON_MAX]}))

    def beat(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tells the supervisor from now on that this event loop goes on; not from a thread, which would go on while
        the loop hangs."""
        if self._outbox.is_empty:  # what is left is a sign of life, too
            self._outbox.send(BEAT)
        loop.call_later(BEAT_SECONDS, self.beat, loop)

    async def attend(self, answer: Callable[[Message], Any]) -> None:
        """Answers what the supervisor asks from now on, in this event loop, and first what it has asked before. It
        returns once the supervisor has said something: the first message is what holds at the start."""
        self._answer = answer
        self._loop = asyncio.get_running_loop()
        self._take()
        with contextlib.suppress(TimeoutError):  # one that has other settings has no ops port, and says nothing
            async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
                await self._told_something.wait()

    async def say_last(self, message: Message) -> None:
        """Says something that was not asked, and waits until it is sent, for a second at most: the process ends."""
        self._outbox.send(framed(message))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await self._outbox.all_sent()

    def _take(self) -> None:
        while not self._inbox.empty():
            message = self._inbox.get()
            self._told_something.set()
            answer = self._answer(message)
            if "number" in message:
                self._outbox.send(framed({"number": message["number"], "answer": answer}))

    def _listen(self) -> None:
        frames = Frames()
        while data := self._told():
            for said in frames.feed(data):
                if not isinstance(said, bytes):
                    self._inbox.put(said)
                    if self._loop is not None:
                        self._loop.call_soon_threadsafe(self._take)
                elif said == RETIRE:
                    self.on_retire()
        if not self._serving:
            os._exit(0)
        os.kill(os.getpid(), signal.SIGTERM)

    def _told(self) -> bytes:
        try:
            return self._socket.recv(CHUNK_BYTES)
        except OSError:  # it was killed
            return b""


def inherited(descriptor: int) -> socket.socket:
    """A listening socket that the supervisor passed on."""
    listener = socket.socket(fileno=descriptor)
    listener.setblocking(False)
    return listener

"""The supervisor's end of the link to a worker: signs of life, questions and their answers."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Callable
from typing import Any

from sternpost.app.frames import Frames, Message, Outbox, framed
from sternpost.app.worker import READY

CHUNK_BYTES = 65_536


class Talk:
    """One worker's.

    Args:
        link: not blocking.

    Attributes:
        failure: why the worker does not start, where it has said so.
        is_behind: whether a message was left out, because the worker had not read those before.
        on_caught_up: called when such a worker reads again.
        on_told: called with what the worker says that it was not asked.
    """

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._outbox = Outbox(link)
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self.failure: str | None = None
        self.is_behind = False
        self.on_caught_up: Callable[[], None] = lambda: None
        self.on_told: Callable[[Message], None] = lambda message: None

    async def ready(self) -> bool:
        """Waits until the worker accepts requests; False when it ends before, and `failure` may say why."""
        loop, frames = asyncio.get_running_loop(), Frames()
        # what is no message of ours is as if it had said nothing
        with contextlib.suppress(ConnectionError, ValueError, TypeError, KeyError):
            data = await loop.sock_recv(self._link, 1)
            if data == READY:
                return True
            while data:
                for said in frames.feed(data):
                    if not isinstance(said, bytes):
                        self.failure = str(said["failed"])
                data = await loop.sock_recv(self._link, CHUNK_BYTES)
        return False

    async def listen(self, on_beat: Callable[[], None]) -> None:
        """Takes note of what the worker says, to its end."""
        loop, frames = asyncio.get_running_loop(), Frames()
        try:
            # what is no message of ours ends this link alone, and its worker, which is replaced
            with contextlib.suppress(ConnectionError, ValueError, TypeError, KeyError):
                while data := await loop.sock_recv(self._link, CHUNK_BYTES):
                    on_beat()
                    for said in frames.feed(data):
                        if not isinstance(said, bytes):
                            self._take(said)
                    self._catch_up()
        finally:
            self.close()

    def sign(self, sign: bytes) -> bool:
        """Gives a sign of one byte; False where the worker is gone, or reads nothing."""
        return self._outbox.send(sign) and self._link.fileno() >= 0

    def tell(self, message: Message) -> bool:
        """Says something that has no answer."""
        sent = self._outbox.send(framed(message))
        self.is_behind = self.is_behind or not sent
        return sent

    async def ask(self, message: Message, seconds: float) -> Any:
        """The answer; None where it does not come in time, or the worker ends before."""
        number = next(self._numbers)
        future = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            if not self.tell({**message, "number": number}):
                return None
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            del self._asked[number]

    def close(self) -> None:
        """Closes the link. Who waits for an answer gets none."""
        self._outbox.close()
        self._link.close()
        for future in self._asked.values():
            if not future.done():
                future.set_result(None)

    def _take(self, message: Message) -> None:
        if "number" not in message:
            self.on_told(message)
            return
        future = self._asked.get(message["number"])  # nobody waits any more for one that is late
        if future is not None and not future.done():
            future.set_result(message["answer"])

    def _catch_up(self) -> None:
        if self.is_behind and self._outbox.is_empty:
            self.is_behind = False
            self.on_caught_up()

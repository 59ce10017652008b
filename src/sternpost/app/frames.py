"""What goes over the link between the supervisor and a worker: signs of one byte, and messages in JSON.

Neither end ever waits for the other to read: one that is stopped must not stop the other, too.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

MESSAGE = b"m"
"""The sign before a message: four bytes with its length follow, and as many of JSON."""

MESSAGE_BYTES_MAX = 1 << 24
LEFT_BYTES_MAX = 1 << 20
"""What is kept for an end that does not read."""

_HEAD = 5

Message = Mapping[str, Any]


def framed(message: Message) -> bytes:
    """A message as it is sent."""
    content = orjson.dumps(message)
    return MESSAGE + len(content).to_bytes(4, "big") + content


class Frames:
    """Reads what arrives, in pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes | Message]:
        """The signs and messages that are complete now. Raises `ValueError` for what is none of ours."""
        buffer = self._buffer
        buffer += data
        while buffer:
            sign = bytes(buffer[:1])
            if sign != MESSAGE:
                del buffer[:1]
                yield sign
                continue
            end = _HEAD + int.from_bytes(buffer[1:_HEAD], "big")
            if end > MESSAGE_BYTES_MAX:
                raise ValueError(f"A message of {end} bytes on the link")
            if len(buffer) < end or len(buffer) < _HEAD:
                return
            content = bytes(buffer[_HEAD:end])
            del buffer[:end]
            yield orjson.loads(content)


class Outbox:
    """Sends in order, in an event loop: what the other end does not take yet is kept until it does."""

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self._left = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None
        """Tells when the link takes more; None while nothing is left."""
        self._sent = asyncio.Event()
        """Set while nothing is left."""
        self._sent.set()

    @property
    def is_empty(self) -> bool:
        """Whether all has been sent."""
        return not self._left

    def send(self, data: bytes) -> bool:
        """Sends it as a whole, now or later; False, and nothing is sent, where too much is left already."""
        if len(self._left) > LEFT_BYTES_MAX:
            return False
        self._left += data
        self._sent.clear()
        self._flush()
        return True

    async def all_sent(self) -> None:
        """Waits until the other end has taken all of it, or is gone."""
        await self._sent.wait()

    def close(self) -> None:
        """Forgets what is left; the link may be closed then."""
        self._left.clear()
        self._watch()

    def _flush(self) -> None:
        try:
            del self._left[: self._link.send(self._left, socket.MSG_DONTWAIT)]
        except BlockingIOError:
            pass  # it is sent when the link takes more
        except OSError:  # the other end is gone, which whoever reads from it notices
            self._left.clear()
        self._watch()

    def _watch(self) -> None:
        if not self._left:
            self._sent.set()
        if self._left and self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_writer(self._link.fileno(), self._flush)
        elif not self._left and self._loop is not None:
            self._loop.remove_writer(self._link.fileno())
            self._loop = None

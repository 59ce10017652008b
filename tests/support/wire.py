"""A client of HTTP/1.1 that sends any bytes, and reads one answer after the other."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """One answer, as it came. Names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str | None:
        """That of the error; None for what is none."""
        found = self.json if self.body[:1] == b"{" else {}
        return found["error"]["code"] if "error" in found else None


class Cut(Exception):
    """The connection ended within an answer, or before it."""


class Wire:
    """A connection. The time limit is far longer than anything that is waited for."""

    def __init__(self, opened: socket.socket) -> None:
        self.opened = opened
        self.received = b""

    @classmethod
    def to(cls, port: int, *, seconds: float = 20, receive_bytes: int | None = None) -> Wire:
        """Args: receive_bytes: the size of the buffer that the system keeps for what is not read."""
        opened = socket.socket()
        if receive_bytes is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        opened.settimeout(seconds)
        try:
            opened.connect(("127.0.0.1", port))
        except OSError:
            opened.close()
            raise
        return cls(opened)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.opened.sendall(piece)

    def reset(self) -> None:
        """Ends the connection so that the other side is told of a reset."""
        self.opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.opened.close()

    def answer(self, method: str = "GET") -> Answer:
        """The next answer. Raises `Cut`."""
        head = self._until(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = first.split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        assert not ("content-length" in headers and "transfer-encoding" in headers), headers
        if method == "HEAD" or status in ("100", "204", "304"):
            return Answer(int(status), headers, b"")
        if "content-length" in headers:
            return Answer(int(status), headers, self._exactly(int(headers["content-length"])))
        if headers.get("transfer-encoding") == "chunked":
            return Answer(int(status), headers, self._chunks())
        return Answer(int(status), headers, self.rest())

    def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        while self._more():
            pass
        found, self.received = self.received, b""
        return found

    def ended(self) -> bool:
        """Waits for the end of the connection; whether nothing came before it."""
        return self.rest() == b""

    def _more(self) -> bool:
        try:
            chunk = self.opened.recv(65_536)
        except ConnectionResetError:
            chunk = b""
        self.received += chunk
        return bool(chunk)

    def _until(self, end: bytes) -> bytes:
        while end not in self.received:
            if not self._more():
                raise Cut(self.received)
        found, _, self.received = self.received.partition(end)
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self.received) < size:
            if not self._more():
                raise Cut(self.received[:100])
        found, self.received = self.received[:size], self.received[size:]
        return found

    def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while size := int(self._until(b"\r\n"), 16):
            parts.append(self._exactly(size))
            assert self._exactly(2) == b"\r\n"
        assert self._exactly(2) == b"\r\n"
        return b"".join(parts)

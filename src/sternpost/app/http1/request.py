"""One request on a connection of HTTP/1.1, and its answer, as the application reads and writes them (ASGI 3)."""

from __future__ import annotations

import asyncio
import http
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any, Protocol

from sternpost.errors import Internal, SternpostError
from sternpost.protocols.http.errors import encode_unread
from sternpost.protocols.http.messages import (
    ON_LEAVE,
    REFUSAL,
    SECURE,
    FixedHeaders,
    Header,
    Receive,
    Scope,
    Send,
    header_lines,
)

BUFFERED_BYTES = 65_536
"""So much of a body is received before the application reads it."""

_LOG = logging.getLogger("sternpost.http")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_BODILESS = frozenset([204, 304])

CLOSE = (b"connection", b"close")


def _status_line(status: int) -> bytes:
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


STATUS_LINE = {status: _status_line(status) for status in range(100, 600)}

App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Wire(Protocol):
    """The connection that a request came on."""

    transport: asyncio.Transport
    loop: asyncio.AbstractEventLoop
    write_paused: bool

    @property
    def default_headers(self) -> list[Header]:
        """The server's own headers: the date."""
        ...

    def resume_reading(self) -> None:
        """The application takes more."""
        ...

    async def writable(self) -> None:
        """Waits until the client has read enough to be sent more."""
        ...

    def answered(self, request: Request) -> None:
        """The answer is complete."""
        ...

    def ran(self, request: Request) -> None:
        """The application has done with it."""
        ...


class Request:
    """A request whose head is complete.

    Attributes:
        number: of the request on its connection.
        keep_alive: whether the connection stays open behind its answer.
        continues: whether the client waits for `100 Continue` before it sends the body.
        is_whole: whether the body is complete.
        started, complete: of the answer.
        gone: the client is: nothing that is sent arrives.
    """

    # Every request has these, so what is rarely set stands on the class.
    is_whole = False
    started = False
    complete = False
    gone = False
    task: asyncio.Task[None] | None = None
    """What works on it."""
    _body: bytes | bytearray = b""
    _was_read = False
    _reader: asyncio.Future[None] | None = None
    _chunked = False
    _is_bodiless = False
    tells_refusals = False
    """Whether who reads the body answers why no more of it comes."""
    _refusal: SternpostError | None = None
    """Why no more of the body comes."""
    _left: int | None = None
    """Bytes of the body that the answer has announced and not sent; None where it has announced none."""

    def __init__(self, wire: Wire, scope: Scope, number: int, keep_alive: bool, continues: bool) -> None:
        self._wire = wire
        self.scope = scope
        self.number = number
        self.keep_alive = keep_alive
        self.continues = continues

    async def run(self, app: App) -> None:
        """Has the application answer. What it raises is a bug of its own, or of ours: it has a way to tell errors."""
        try:
            try:
                await app(self.scope, self.receive, self.send)
            except Exception:  # noqa: BLE001  (it is logged, and answered)
                _LOG.exception("The application has raised an error instead of an answer")
            else:
                if not (self.complete or self.gone) and self._refusal is None:
                    _LOG.error("The application has ended without the end of its answer")
            if not (self.complete or self.gone):
                await self._end_answer()
        finally:
            self._wire.ran(self)

    async def _end_answer(self) -> None:
        """Answers for the application, or cuts off what it has begun."""
        if self.started:
            self.abort()
        else:
            if self._wire.write_paused:  # an earlier answer has not been read
                await self._wire.writable()
            status, headers, body = encode_unread(self._refusal or Internal())
            self.answer(status, [*headers, CLOSE], SECURE, b"" if self.scope["method"] == "HEAD" else body)

    # -- what arrives

    def take(self, data: bytes) -> bool:
        """A part of the body arrives; whether so much is there that the client has to wait."""
        if self._body:
            if not isinstance(self._body, bytearray):
                self._body = bytearray(self._body)
            self._body += data
        else:
            self._body = data
        self.wake()
        return len(self._body) > BUFFERED_BYTES

    def hold(self, body: bytes) -> None:
        """All of the body is there."""
        self._body = body
        self.is_whole = True

    def end(self) -> None:
        """The body is complete."""
        self.is_whole = True
        self.wake()

    def leave(self) -> None:
        """The client is gone, maybe behind the answer."""
        if not self.complete:
            self.gone = True
        self.wake()
        for left in self.scope[ON_LEAVE]:
            left()

    def abort(self) -> None:
        """Cuts the connection off: the client sees that its answer is not complete."""
        self.gone = True
        self._wire.transport.abort()

    def refuse(self, error: SternpostError) -> bool:
        """Has the application that waits for more of the body be told why no more of it comes, so that it answers and
        logs that; False where none waits. One that answers nothing is answered for."""
        if self.started or not self.tells_refusals or self._reader is None or self._reader.done():
            return False
        self._refusal, self.keep_alive = error, False
        self.wake()
        return True

    def wake(self) -> None:
        """Has the application look again at what is there."""
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def receive(self) -> dict[str, Any]:
        """The next part of the body; or that the client has gone, or has got its answer."""
        wire = self._wire
        if self.continues and not wire.transport.is_closing():
            wire.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.continues = False
        while not (self._body or (self.is_whole and not self._was_read) or self.gone or self.complete or self._refusal):
            wire.resume_reading()
            self._reader = wire.loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if self.gone or self.complete:
            return {"type": "http.disconnect"}
        if self._refusal is not None:
            return {"type": "http.disconnect", REFUSAL: self._refusal}
        body, self._body, self._was_read = bytes(self._body), b"", self.is_whole
        return {"type": "http.request", "body": body, "more_body": not self.is_whole}

    # -- what is answered

    def answer(self, status: int, headers: Sequence[Header], fixed: FixedHeaders, body: bytes) -> bool:
        """Writes a whole answer at once; False where it has to go by messages. Headers have names in lower case, and a
        length.

        ASGI's two messages cost a fifth of a short request: headers are matched against patterns one by one, and head
        and body are written apart.

        Raises:
            RuntimeError: a header holds a line break.
        """
        wire = self._wire
        if self.started or wire.write_paused:
            return False
        if self.gone:
            return True
        start = fixed.start(STATUS_LINE[status], wire.default_headers)
        end = b"\r\n"
        if status >= 400 and CLOSE in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            end = b"connection: close\r\n\r\n"
        message = b"".join((start, header_lines(headers), end, body))
        self.started = self.complete = True
        wire.transport.write(message)
        self.wake()
        wire.answered(self)
        return True

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Writes a message of ASGI.

        Raises:
            RuntimeError: it is none that may come now, or its headers are none.
        """
        wire = self._wire
        if wire.write_paused and not self.gone:
            await wire.writable()
        if self.gone:
            return
        match message["type"], self.started, self.complete:
            case "http.response.start", False, _:
                self._start(message["status"], message.get("headers", ()))
            case "http.response.body", True, False:
                self._write(message.get("body", b""), more=message.get("more_body", False))
            case kind, _, _:
                raise RuntimeError(f"The application sent {kind} where it may not come")

    def _start(self, status: int, headers: Iterable[Header]) -> None:
        wire = self._wire
        lines = [STATUS_LINE[status], header_lines(wire.default_headers)]
        has_length = says_close = False
        for name, value in headers:
            lowered = name.lower()
            if not _NAME.fullmatch(name) or _CONTROL.search(value):
                raise RuntimeError("The application sent a header that is none")
            if lowered == b"content-length":
                if has_length or not value.isdigit():
                    raise RuntimeError("The application sent a content length that is none, or several")
                self._left, has_length = int(value), True
            elif lowered == b"transfer-encoding":
                if value.lower() != b"chunked":
                    raise RuntimeError("The application sent a transfer encoding that is not supported")
                continue  # it is ours to say how the body is framed
            elif lowered == b"connection" and b"close" in value.lower():
                self.keep_alive, says_close = False, True
            lines.append(b"%s: %s\r\n" % (name, value))
        if self.scope["method"] == "HEAD" or status in _BODILESS:
            self._is_bodiless = True
        elif not has_length:
            if self.scope["http_version"] == "1.1":
                self._chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                self.keep_alive = False  # the end of the connection is that of the body
        if not self.keep_alive and not says_close:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        self.started = True
        self.continues = False
        wire.transport.write(b"".join(lines))

    def _write(self, body: bytes, *, more: bool) -> None:
        wire = self._wire
        if self._chunked:
            parts = [b"%x\r\n" % len(body), body, b"\r\n"] if body else []
            wire.transport.write(b"".join(parts if more else [*parts, b"0\r\n\r\n"]))
        elif self._is_bodiless:
            pass
        else:
            if self._left is not None:
                self._left -= len(body)
                if self._left < 0 or (self._left and not more):
                    raise RuntimeError("The body of the answer has not the length that its head says")
            if body:
                wire.transport.write(body)
        if not more:
            self.complete = True
            self.wake()
            wire.answered(self)

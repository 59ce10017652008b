"""One connection of HTTP/1.1 (RFC 9112): what arrives becomes requests, in order, within the limits of the edge."""

from __future__ import annotations

import asyncio
import logging
import socket
from asyncio import TimerHandle
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from sternpost.app.http1.admission import Admission
from sternpost.app.http1.reader import KnownHeaders, RequestReader
from sternpost.app.http1.request import CLOSE, STATUS_LINE, App, Request
from sternpost.app.http1.unsent import Unsent
from sternpost.app.http1.upgraded import Upgraded
from sternpost.app.running import being_stopped
from sternpost.errors import MalformedRequest, RequestTimeout, SternpostError, TooManyPipelined
from sternpost.ids import new_request_id
from sternpost.protocols.http.edge import Edge
from sternpost.protocols.http.errors import encode_unread
from sternpost.protocols.http.messages import (
    ABORT,
    ANSWER,
    SECURE,
    FixedHeaders,
    Header,
    Receive,
    Scope,
    Send,
    header_lines,
)
from sternpost.telemetry.events import Event, UnreadRequestAnswered

LINGER_SECONDS = 1.0
LINGER_BYTES = 262_144
LINGER_BODY_BYTES = 16_777_216
"""How long, and how much, a client that is refused may still send, so that it can read the answer: a connection that is
closed with something unread is reset. Nothing is made of it. Of a body that is too large it may be more."""

ASGI = {"version": "3.0", "spec_version": "2.3"}


class State(Protocol):
    """What all connections of a server share.

    Attributes:
        connections: those that are open.
        tasks: what works on requests.
        default_headers: of each answer; another list when the date changes.
    """

    connections: set[Any]
    tasks: set[asyncio.Task[None]]
    default_headers: list[Header]
    total_requests: int


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections share.

    Attributes:
        state: of the server.
        edge: how much a client may send, and how long that may take.
        admission: counts connections.
        idle_seconds: how long a connection may be idle before it is closed.
        log: told of bugs.
        tell: told of what is no request.
        known: headers that any connection has sent.
        upgrade: makes the protocol for WebSockets, where there is one.
    """

    app: App
    state: State
    edge: Edge
    admission: Admission
    idle_seconds: float
    log: logging.Logger
    tell: Callable[[Event], None]
    known: KnownHeaders = field(default_factory=KnownHeaders)
    upgrade: Callable[[], asyncio.Protocol] | None = None


class HttpProtocol(asyncio.Protocol):
    """Reads requests with httptools, and offers `ANSWER` in the scope of each, beside ASGI's own messages."""

    transport: asyncio.Transport

    def __init__(self, shared: Shared) -> None:
        self.loop = asyncio.get_running_loop()
        self._shared = shared
        self.client: tuple[str, int] | None = None
        self.write_paused = False
        self._is_open = self._admitted = False
        self._counted: str | None = None
        # what arrives
        self._reader: RequestReader = cast("RequestReader", None)  # made with the connection
        self._problem: SternpostError | None = None
        """What is answered behind what was asked before; nothing that arrives counts any more."""
        self._refused = False
        """Whether that was answered."""
        self._lingered, self._linger_bytes = 0, LINGER_BYTES
        """Bytes that arrived since then."""
        self._received_since: float | None = None
        """When a sweep first found the request `_received_number` unfinished."""
        self._received_number = self._received_bytes = 0
        self._read_paused = False
        # what is answered
        self._last: Request | None = None
        """The last one whose head is complete."""
        self._answering: Request | None = None
        self._waiting: deque[Request] = deque()
        self._idle_timer: TimerHandle | None = None
        self._idle_since: float | None = None
        """When the last answer was complete; None while there is a request."""
        self._unsent = Unsent()

    @property
    def default_headers(self) -> list[Header]:
        """The server's own headers: the date."""
        return self._shared.state.default_headers

    @property
    def is_open(self) -> bool:
        """Whether the connection has begun."""
        return self._is_open

    @property
    def has_asked(self) -> bool:
        """Whether the head of a first request is complete."""
        return self._last is not None

    # -- the connection

    def connection_made(self, transport: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Called once, at the start. A client that has reset the connection already has no address any more: its
        request would count for no address, or for that of a proxy."""
        self.transport = transport
        self._shared.state.connections.add(self)
        opened: socket.socket = transport.get_extra_info("socket")
        local = opened.family == socket.AF_UNIX
        peer, server = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.client = None if local or not peer else (str(peer[0]), int(peer[1]))
        self._is_open = True
        scope = {
            "type": "http",
            "asgi": ASGI,
            "server": (str(server), None) if local else (str(server[0]), int(server[1])) if server else None,
            "client": self.client,
            "scheme": "http" if transport.get_extra_info("sslcontext") is None else "https",
            "root_path": "",
            ANSWER: answer,
            ABORT: abort,
        }
        most = self._shared.edge.head_bytes_max
        self._reader = RequestReader(
            self, scope, self._shared.known, most, self._shared.log, takes_websockets=self._shared.upgrade is not None
        )
        if self.client is None and not local:
            transport.abort()
            return
        try:
            self._counted = self._shared.admission.enter(self.client[0] if self.client else None)
            self._admitted = True
        except SternpostError as error:
            self._problem = error
            self._refuse(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called once, at the end."""
        self._shared.state.connections.discard(self)
        self._leave()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self.resume_writing()
        for request in {self._answering, self._last, *self._waiting}:
            if request is not None:
                request.leave()
        self._waiting.clear()
        self._reader.close()

    def _leave(self) -> None:
        if self._admitted:
            self._admitted = False
            self._shared.admission.leave(self._counted)

    # -- what arrives

    def data_received(self, data: bytes) -> None:
        """Called with what has arrived."""
        if self._problem is not None:
            self._lingered += len(data)
            if self._refused and self._lingered > self._linger_bytes:
                self.transport.abort()
            return
        problem = self._reader.feed(data)
        if problem is not None:
            self._end(problem)
        elif self._reader.upgrade is not None:
            self._hand_over(self._reader.upgrade)

    def received(self, scope: Scope, *, keep_alive: bool, continues: bool) -> None:
        """The head of a request is complete. Raises `TooManyPipelined`."""
        self._next(Request(self, scope, self._reader.number, keep_alive, continues))

    def received_all(self, scope: Scope, body: bytes) -> None:
        """A whole request has arrived. Raises `TooManyPipelined`."""
        request = Request(self, scope, self._reader.number, True, False)
        request.hold(body)
        self._next(request)

    def part(self, data: bytes) -> None:
        """A part of the body of the last request."""
        request = self._last
        if request is not None and not request.complete and request.take(data):
            self._pause_reading()

    def end(self) -> None:
        """The last request is whole."""
        if self._last is not None and not self._last.complete:
            self._last.end()

    def _next(self, request: Request) -> None:
        if self._answering is None:
            self._last = request
            self._start(request)
            return
        if len(self._waiting) >= self._shared.edge.pipelined_max:
            raise TooManyPipelined
        self._last = request
        self._pause_reading()
        self._waiting.append(request)

    def _hand_over(self, received: bytes) -> None:
        """Has another protocol go on with the connection."""
        assert self._shared.upgrade is not None, "otherwise it is a request as others are"
        if self._answering is not None:  # whose answer would come between the messages of the other protocol
            self._end(MalformedRequest("A handshake for WebSockets cannot be sent before an earlier answer is there"))
            return
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._shared.state.connections.discard(self)
        protocol = Upgraded(self._shared.upgrade(), self._leave)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        if self.write_paused:
            protocol.pause_writing()
        protocol.data_received(received)

    def _start(self, request: Request) -> None:
        self._idle_since = None
        self._answering = request
        task = request.task = self.loop.create_task(request.run(self._shared.app))
        self._shared.state.tasks.add(task)

    def ran(self, request: Request) -> None:
        """Called when the application has done with a request."""
        if request.task is not None:
            self._shared.state.tasks.discard(request.task)
            request.task = None  # which refers to this

    def answered(self, request: Request) -> None:
        """Called once with each request whose answer is complete."""
        self._shared.state.total_requests += 1
        self._answering = None
        if not request.keep_alive:
            self._end_behind(request)
        elif self._waiting:
            self._start(self._waiting.popleft())
        elif self._problem is not None:
            self._refuse(self._problem)
        else:
            self.resume_reading()
            self._idle_since = self.loop.time()
            if self._idle_timer is None:
                self._idle_timer = self.loop.call_later(self._shared.idle_seconds, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._idle_timer = None
        if self._idle_since is None:
            return  # the next answer starts the timer again
        if self._reader.arriving:  # the rest of a body that nobody reads still arrives, or half a head
            self._idle_since = self.loop.time()
        left = self._idle_since + self._shared.idle_seconds - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._close_if_idle)
        else:
            self.transport.close()

    # -- pace

    def pause_writing(self) -> None:
        """Called when the client does not read."""
        self.write_paused = True

    def resume_writing(self) -> None:
        """Called when it does again, or is gone."""
        self.write_paused = False
        self._unsent.taken()

    async def writable(self) -> None:
        """Waits until the client has read enough to be sent more, or is gone."""
        await self._unsent.wait(self.loop)

    def _pause_reading(self) -> None:
        if not self._read_paused:
            self._read_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """The application takes more; what was sent before it is its turn does not come first."""
        if self._read_paused and not self._waiting and not self.transport.is_closing():
            self._read_paused = False
            self.transport.resume_reading()

    # -- what takes too long, or is refused

    def sweep(self, now: float) -> None:
        """Called now and then: ends a connection whose request takes too long to arrive. Time in which the client has
        to wait, because an application does not read on or an earlier request is not answered, does not count. So it
        does where the client takes too long to read its answer, which is kept in memory until then."""
        if self._unsent.is_late(self.transport.get_write_buffer_size(), now, self._shared.edge):
            self.transport.abort()
        if not self._is_receiving() or self._makes_wait():
            self._received_since = None
        elif self._received_since is None or self._received_number != self._reader.number:
            self._received_number, self._received_since = self._reader.number, now
            self._received_bytes = self._reader.body_bytes
        elif now - self._received_since > self._seconds_allowed():
            if self._problem is not None:
                self.transport.abort()  # it has been answered, and goes on sending
            elif self._reader.arriving or self._reader.unfinished:
                self._end(RequestTimeout())
            else:
                self.transport.close()  # nothing was asked, so nothing is answered

    def _is_receiving(self) -> bool:
        """Whether a request has begun and is not complete, or the first one has not begun."""
        return self._reader.arriving or self._reader.number == 0

    def _begun(self) -> Request | None:
        """The request that is being received, once its head is complete."""
        last = self._last
        return last if self._reader.arriving and last is not None and last.number == self._reader.number else None

    def _makes_wait(self) -> bool:
        begun = self._begun()
        return (begun is not None and begun.continues) or self._read_paused or self._answers_another()

    def _answers_another(self) -> bool:
        """Whether an earlier request is not answered yet."""
        return self._answering is not None and self._answering is not self._begun()

    def _seconds_allowed(self) -> float:
        if self._begun() is None:
            return self._shared.edge.head_seconds
        return (
            self._shared.edge.body_seconds
            + (self._reader.body_bytes - self._received_bytes) / self._shared.edge.body_bytes_a_second
        )

    def _end(self, problem: SternpostError) -> None:
        """Nothing that arrives counts any more: `problem` is answered behind what was asked before."""
        self._problem = problem
        if self._answers_another():
            self._pause_reading()
        else:
            self._refuse(problem)

    def _refuse(self, error: SternpostError) -> None:
        """Answers what is no whole request, where it can still be answered, and closes the connection. Where an
        application waits for the rest of it, that is told, and answers."""
        begun = self._begun()
        if begun is not None and error.http_status < 500 and begun.refuse(error):
            return
        if begun is None or not begun.started:
            request_id = new_request_id()
            self.transport.write(_last_answer(error, request_id, self.default_headers))
            address = self.client[0] if self.client else None
            told = UnreadRequestAnswered(
                status=error.http_status, error_code=error.code, address=address, request_id=request_id
            )
            self._shared.tell(told)
        if begun is not None:
            begun.leave()
        self._linger(LINGER_BYTES)

    def _end_behind(self, request: Request) -> None:
        """Closes the connection behind an answer, though the body of its request may not be whole."""
        if request.is_whole:
            self.transport.close()
            return
        most = LINGER_BODY_BYTES if self._problem is None else LINGER_BYTES
        self._problem = self._problem or MalformedRequest()
        self._linger(most)

    def _linger(self, most: int) -> None:
        """Closes the connection once the client has had time to read what is written."""
        self._refused, self._linger_bytes = True, most
        if self._admitted and self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()
            self.resume_reading()
            self.loop.call_later(LINGER_SECONDS, self.transport.abort)
        else:
            self.transport.close()

    # -- the end of serving

    def close_after_answer(self) -> None:
        """Lets the answer that is being made close the connection, where it can still say so: a client that is not told
        may send its next request meanwhile."""
        if self._last is not None and not self._last.started:
            self._last.keep_alive = False

    def close_if_unused(self) -> None:
        """Closes a connection on which nothing is being received, answered or sent."""
        if not (self._reader.arriving or self._answering or self._waiting or self.transport.get_write_buffer_size()):
            self.transport.close()

    def end_unread(self) -> None:
        """Refuses a request whose body still arrives: nothing of it was carried out."""
        if self._begun() is not None and not self._answers_another():
            self._refuse(being_stopped())

    def cut(self) -> None:
        """Ends the connection: what is whole is still sent, and a client whose answer is not sees it."""
        if self._answering is None:
            self.transport.close()
            return
        self._answering.leave()
        self.transport.abort()


def _last_answer(error: SternpostError, request_id: str, defaults: list[Header]) -> bytes:
    """The whole answer to what is no whole request, behind which the connection ends."""
    status, headers, body = encode_unread(error, request_id)
    if CLOSE not in headers:
        headers.append(CLOSE)
    return b"".join((STATUS_LINE[status], header_lines([*defaults, *SECURE.pairs, *headers]), b"\r\n", body))


def answer(send: Send, status: int, headers: list[Header], fixed: FixedHeaders, body: bytes) -> bool:
    """Writes a whole answer: `Request.answer` of the request that `send` belongs to. (In the scope, a reference to the
    request would be a cycle that only the garbage collector could free, at each request.)"""
    return _request(send).answer(status, headers, fixed, body)


def abort(receive: Receive) -> None:
    """Cuts the connection off: the client sees that its answer is not complete."""
    _request(receive).abort()


def _request(channel: Any) -> Request:
    return channel.__self__

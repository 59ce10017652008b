"""HTTP/1.1 under our own server: uvicorn's protocol, with a short way for answers that are known as a whole, and with
bounds on what a client may send before there is a request."""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Sequence
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from sternpost.errors import HeadersTooLarge, RequestTimeout, SternpostError
from sternpost.protocols.http.errors import encode_unread
from sternpost.protocols.http.messages import (
    ABORT,
    ANSWER,
    ON_LEAVE,
    SECURE,
    FixedHeaders,
    Header,
    Receive,
    Send,
    header_lines,
)

HEAD_BYTES_MAX = 65_536
"""How many bytes the head of a request (its first line and its headers) may have, and so may what stands between the
parts of a chunked body, and behind them. The head of a request that is sent before the last one is answered may have
up to twice as many: where it begins in what was received, the parser does not tell."""

HEAD_SECONDS = 10.0
"""How long the head of a request may take to arrive, from its first byte; and how long a new connection may send
nothing. What is late is noticed up to two sweeps later."""

BODY_SECONDS = 30.0
BODY_BYTES_A_SECOND = 65_536
"""How long a whole request may take to arrive: so many seconds, and one more for so many bytes of its body."""

SWEEP_SECONDS = 1.0
"""How often connections are looked at for requests that are late. A timer for each request would cost every one."""


class HttpProtocol(HttpToolsProtocol):
    """Offers `ANSWER` in the scope of each request, beside ASGI's own messages; refuses what is too long or too late;
    and closes idle connections with one timer for each, where uvicorn makes one for each request and takes it back at
    the next."""

    _idle_timer: TimerHandle | None = None
    _idle_since: float | None = None
    """When the last answer was complete; None while there is a request."""
    _unfinished: int = 0
    """The bytes received since the parser last finished something: a head, a part of a body."""
    _received: Any = None
    _received_since: float | None = None
    """The scope of the request that a sweep found unfinished, and when it first did."""
    _body_bytes: int = 0
    """Of the request that is being received, or of several small ones."""

    # -- what a client may send

    def data_received(self, data: bytes) -> None:
        """Called with what has arrived."""
        self._unfinished += len(data)
        if self._unfinished > HEAD_BYTES_MAX:
            self._receive_in_pieces(data)
        else:
            super().data_received(data)

    def _receive_in_pieces(self, data: bytes) -> None:
        """The parser gets no more than the head may still have, so that what is too long is neither parsed nor kept."""
        self._unfinished -= len(data)
        while data and not self.transport.is_closing():
            room = HEAD_BYTES_MAX - self._unfinished
            if room <= 0:
                self._refuse(HeadersTooLarge(f"The head of the request is larger than {HEAD_BYTES_MAX} bytes"))
                return
            piece, data = data[:room], data[room:]
            self._unfinished += len(piece)
            super().data_received(piece)

    def on_body(self, body: bytes) -> None:
        """Called with each part of a body."""
        self._unfinished = 0
        self._body_bytes += len(body)
        super().on_body(body)

    def sweep(self, now: float) -> None:
        """Called now and then: ends a connection whose request takes too long to arrive. Time in which the client has
        to wait, because an application does not read on or an earlier request is not answered, does not count."""
        if not self._is_receiving() or self._makes_wait():
            self._received_since = None
        elif self._received_since is None or self._received is not self.scope:
            self._received, self._received_since, self._body_bytes = self.scope, now, 0
        elif now - self._received_since > self._seconds_allowed():
            self._end_late_request()

    def _is_receiving(self) -> bool:
        """Whether a request has begun and is not complete, or the first one has not begun."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        # a scope of its own is made for a request with its first byte
        return cycle is None or cycle.scope is not self.scope or cycle.more_body

    def _makes_wait(self) -> bool:
        cycle = self._begun()
        unasked = cycle is not None and cycle.waiting_for_100_continue
        return unasked or self.flow.read_paused or self._answers_another()

    def _begun(self) -> RequestResponseCycle | None:
        """The request that is being received, once its head is complete."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle if cycle is not None and cycle.scope is self.scope else None

    def _answers_another(self) -> bool:
        """Whether an earlier request is not answered yet."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return bool(self.pipeline) or (
            cycle is not None and cycle.scope is not self.scope and not cycle.response_complete
        )

    def _seconds_allowed(self) -> float:
        return HEAD_SECONDS if self._begun() is None else BODY_SECONDS + self._body_bytes / BODY_BYTES_A_SECOND

    def _end_late_request(self) -> None:
        if self.scope or self._unfinished:
            self._refuse(RequestTimeout())
        else:
            self.transport.close()  # nothing was asked, so nothing is answered

    def _refuse(self, error: SternpostError) -> None:
        """Answers what is no whole request, where it can still be answered, and closes the connection. The application
        that waits for the rest of it is told that the client has gone."""
        cycle = self._begun()
        if not self._answers_another() and not (cycle is not None and cycle.response_started):
            status, headers, body = encode_unread(error)
            lines = header_lines([*self.server_state.default_headers, *SECURE.pairs, *headers])
            self.transport.write(b"".join((STATUS_LINE[status], lines, b"\r\n", body)))
            self.logger.warning("Answered what is no whole request with %d: %s", status, error.message)
        if cycle is not None:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.close()

    # -- requests

    def on_headers_complete(self) -> None:
        """Called at the end of a head. What comes behind a chunked body looks like headers, and is none (RFC 9110,
        6.5.1): a proxy before this server has checked the head alone."""
        super().on_headers_complete()
        self.headers = []

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._unfinished = 0
        self._idle_since = None
        scope = cast("dict[str, Any]", cycle.scope)
        scope[ANSWER] = answer
        scope[ABORT] = abort
        scope[ON_LEAVE] = []
        super()._start_asgi_task(cycle, app)  # pyright: ignore[reportPrivateUsage]

    def on_response_complete(self) -> None:
        """Called after each answer, as in uvicorn."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._idle_timer = None
        if self._idle_since is None:
            return  # the next answer starts the timer again
        if self._is_receiving():  # the rest of a body that nobody reads still arrives
            self._idle_since = self.loop.time()
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._close_if_idle)
        else:
            self.timeout_keep_alive_handler()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called once, at the end of the connection."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        super().connection_lost(exc)
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None:
            for left in cast("dict[str, Any]", cycle.scope).get(ON_LEAVE, ()):
                left()


def answer(send: Send, status: int, headers: Sequence[Header], fixed: FixedHeaders, body: bytes) -> bool:
    """Writes a whole answer at once; False where it has to go by messages. Headers have names in lower case, and a
    length.

    ASGI's two messages cost a fifth of a short request: headers are matched against patterns one by one, and head and
    body are written apart.

    Args:
        send: uvicorn's own, which belongs to the request. (In the scope, a reference to the request would be a cycle
            that only the garbage collector could free, at each request.)

    Raises:
        RuntimeError: a header holds a line break.
    """
    cycle = _request(send)
    if status >= 400 or cycle.response_started or cycle.flow.write_paused:
        return False  # errors may have to close the connection, which uvicorn knows how to do
    if cycle.disconnected:
        return True
    start = fixed.start(STATUS_LINE[status], cycle.default_headers)
    end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
    message = b"".join((start, header_lines(headers), end, body))
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(message)
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
    return True


def abort(receive: Receive) -> None:
    """Cuts the connection off: the client sees that its answer is not complete."""
    cycle = _request(receive)
    cycle.disconnected = True
    cycle.transport.abort()


def _request(channel: Any) -> RequestResponseCycle:
    return channel.__self__

"""HTTP/1.1 under our own server: uvicorn's protocol, with a short way for answers that are known as a whole."""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Callable, Sequence
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from sternpost.protocols.http.messages import ABORT, ANSWER, ON_LEAVE, FixedHeaders, Header, Receive, Send, header_lines

_LEFT = "sternpost_left"
"""The attribute of a request that holds what to call when its client goes away."""


class HttpProtocol(HttpToolsProtocol):
    """Offers `ANSWER` in the scope of each request, beside ASGI's own messages; and closes idle connections with one
    timer for each, where uvicorn makes one for each request and takes it back at the next."""

    _idle_timer: TimerHandle | None = None
    _idle_since: float | None = None
    """When the last answer was complete; None while there is a request."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        scope = cast("dict[str, Any]", cycle.scope)
        scope[ANSWER] = answer
        scope[ABORT] = abort
        scope[ON_LEAVE] = on_leave
        super()._start_asgi_task(cycle, app)  # pyright: ignore[reportPrivateUsage]

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

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
        left = getattr(self.cycle, _LEFT, None)
        if left is not None:
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


def on_leave(receive: Receive, call: Callable[[], None]) -> None:
    """Has it called when the connection ends, also after the answer; it must not keep what belongs to the request."""
    setattr(_request(receive), _LEFT, call)


def _request(channel: Any) -> RequestResponseCycle:
    return channel.__self__

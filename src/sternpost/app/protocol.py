"""HTTP/1.1 under our own server: uvicorn's protocol, and a short way for answers that are known as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from sternpost.protocols.rest.http import ABORT, ANSWER, Header


class HttpProtocol(HttpToolsProtocol):
    """Offers `ANSWER` in the scope of each request, beside ASGI's own messages."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        scope = cast("dict[str, Any]", cycle.scope)
        scope[ANSWER] = Answering(cycle)
        scope[ABORT] = lambda: _abort(cycle)
        super()._start_asgi_task(cycle, app)  # pyright: ignore[reportPrivateUsage]


class Answering:
    """Writes a whole answer at once. ASGI's two messages cost a fifth of a short request: headers are matched against
    patterns one by one, and head and body are written apart."""

    __slots__ = ("cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self.cycle = cycle

    def __call__(self, status: int, headers: Sequence[Header], body: bytes) -> bool:
        """Sends the answer; False where it has to go by messages. `headers` have names in lower case and a length.

        Raises:
            RuntimeError: a header holds a line break.
        """
        cycle = self.cycle
        if status >= 400 or cycle.response_started or cycle.flow.write_paused:
            return False  # errors may have to close the connection, which uvicorn knows how to do
        if cycle.disconnected:
            return True
        parts = [STATUS_LINE[status]]
        for name, value in cycle.default_headers:
            parts += (name, b": ", value, b"\r\n")
        for name, value in headers:
            parts += (name, b": ", value, b"\r\n")
        if not cycle.keep_alive:
            parts.append(b"connection: close\r\n")
        parts.append(b"\r\n")
        head = b"".join(parts)
        lines = len(headers) + len(cycle.default_headers) + (2 if cycle.keep_alive else 3)
        if head.count(b"\n") != lines or head.count(b"\r") != lines:
            raise RuntimeError("A header holds a line break")
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(head + body)
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()
        return True


def _abort(cycle: RequestResponseCycle) -> None:
    """Cuts the connection off: the client sees that its answer is not complete."""
    cycle.disconnected = True
    cycle.transport.abort()

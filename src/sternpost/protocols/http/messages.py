"""The parts of HTTP that go out: headers that many answers have in common, and the sending of a whole answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]


class FixedHeaders:
    """Headers that many answers have in common, also as the first lines of such an answer in HTTP/1.1.

    Attributes:
        pairs: as ASGI has them, names in lower case.
    """

    __slots__ = ("_defaults", "_starts", "pairs")

    def __init__(self, *pairs: Header) -> None:
        self.pairs = pairs
        self._starts: dict[bytes, bytes] = {}
        self._defaults: list[Header] | None = None

    def start(self, status_line: bytes, defaults: list[Header]) -> bytes:
        """The status line, the server's own headers and these. Kept as long as `defaults` is the same list: the server
        makes a new one when the date changes, once a second.

        Raises:
            RuntimeError: a header holds a line break.
        """
        if defaults is not self._defaults:
            self._defaults, self._starts = defaults, {}
        found = self._starts.get(status_line)
        if found is None:
            found = self._starts[status_line] = status_line + header_lines([*defaults, *self.pairs])
        return found


def header_lines(headers: Sequence[Header]) -> bytes:
    """Headers as lines of HTTP/1.1. Raises `RuntimeError` where one holds a line break."""
    lines = b"".join([b"%s: %s\r\n" % header for header in headers])
    if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers):
        raise RuntimeError("A header contains a line break")
    return lines


SECURITY_HEADERS: tuple[Header, ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
SECURE = FixedHeaders(*SECURITY_HEADERS)
PLAIN = FixedHeaders()
JSON = (b"content-type", b"application/json")
PROBLEM_JSON = (b"content-type", b"application/problem+json")


ANSWER = "sternpost.answer"
"""Where a scope may offer a short way to send a whole answer: `(send, status, headers, fixed, body) -> bool`, False for
"not now". Whoever wraps `send` takes it out."""


ON_LEAVE = "sternpost.on_leave"
"""Where a scope may offer to tell when the client goes away: a list, whose functions are called then, also after the
answer; they must not keep what belongs to the request. Waiting for that with `receive` would take a task for each."""

ABORT = "sternpost.abort"
"""Where a scope may offer to cut the connection off, without the end of the answer: `(receive) -> None`, with the
server's own `receive`."""


REFUSAL = "sternpost.refusal"
"""Where a message `http.disconnect` says why no more of the body comes: an error to be answered."""


def told_refusals(receive: Receive) -> None:
    """Has the server's own `receive` say so with `REFUSAL`, and leave the answer to whoever reads. What others have
    wrapped tells only that the client has gone: the server answers then."""
    request = getattr(receive, "__self__", None)
    if getattr(request, "tells_refusals", None) is False:
        request.tells_refusals = True  # pyright: ignore[reportOptionalMemberAccess]


PARSED = "sternpost.headers"
"""Where a scope may offer what `read_headers` finds in its headers. Whoever may change them takes it out."""


async def send_response(
    scope: Scope, send: Send, status: int, headers: list[Header], body: bytes, fixed: FixedHeaders = PLAIN
) -> None:
    """Sends a whole answer; for HEAD without its body, but with the length it would have."""
    if status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(body)))
    if scope["method"] == "HEAD":
        body = b""
    answer = scope.get(ANSWER)
    if answer is not None and answer(send, status, headers, fixed, body):
        return
    await send({"type": "http.response.start", "status": status, "headers": [*fixed.pairs, *headers]})
    await send({"type": "http.response.body", "body": body})


def closing(scope: Scope, send: Send) -> Send:
    """Tells clients of a service that is going away to open their next connection elsewhere."""
    scope[ANSWER] = None

    async def close(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return close

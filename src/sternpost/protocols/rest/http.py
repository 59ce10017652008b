"""Small parts of HTTP: the headers that matter, sending an answer, reading a body within its limit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from sternpost.errors import InvalidCredentials, NotAcceptable, PayloadTooLarge, UnsupportedMediaType

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
ENCODING = orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC
"""How documents are written. A driver may give the first and the last instant of the calendar without their zone."""

PROBLEM_JSON = (b"content-type", b"application/problem+json")


ANSWER = "sternpost.answer"
"""Where a scope may offer a short way to send a whole answer: `(send, status, headers, fixed, body) -> bool`, False for
"not now". Whoever wraps `send` takes it out."""


ABORT = "sternpost.abort"
"""Where a scope may offer to cut the connection off, without the end of the answer: `(receive) -> None`, with the server's
own `receive`."""


class ClientDisconnected(Exception):
    """The client disconnected before its request was complete, so no response can be sent."""


@dataclass(slots=True)
class RequestHeaders:
    """The request headers that Sternpost reads, found in one pass."""

    accept: bytes = b""
    authorization: bytes | None = None
    authorizations: int = 0
    content_type: bytes = b""
    content_length: bytes = b""
    content_encoding: bytes = b""
    traceparent: str | None = None
    if_match: bytes | None = None
    if_none_match: bytes | None = None


def read_headers(scope: Scope) -> RequestHeaders:
    """One pass over the headers."""
    found = RequestHeaders()
    for name, value in scope["headers"]:
        if name == b"accept":
            found.accept = found.accept + b"," + value if found.accept else value
        elif name == b"authorization":
            found.authorization = value
            found.authorizations += 1
        elif name == b"content-type":
            found.content_type = value
        elif name == b"content-length":
            found.content_length = value
        elif name == b"content-encoding":
            found.content_encoding = value
        elif name == b"traceparent":
            found.traceparent = value.decode("latin-1")
        elif name[:3] == b"if-":
            _read_condition(found, name, value)
    return found


def _read_condition(found: RequestHeaders, name: bytes, value: bytes) -> None:
    """A list may come in several headers (RFC 9110, 5.3)."""
    if name == b"if-match":
        found.if_match = value if found.if_match is None else found.if_match + b"," + value
    elif name == b"if-none-match":
        found.if_none_match = value if found.if_none_match is None else found.if_none_match + b"," + value


def bearer_token(headers: RequestHeaders) -> str | None:
    """The token of `Authorization: Bearer …`, or None without the header. Raises `InvalidCredentials` for anything else."""
    if headers.authorization is None:
        return None
    scheme, _, token = headers.authorization.partition(b" ")
    if headers.authorizations > 1 or scheme.lower() != b"bearer" or not token.strip():
        raise InvalidCredentials(
            "The Authorization header is malformed", log={"reason": "not exactly one Bearer token"}
        )
    return token.strip().decode("latin-1")


def check_accept(accept: bytes) -> None:
    """Raises `NotAcceptable` where the client takes no JSON."""
    if accept in (b"", b"*/*", b"application/json"):
        return
    for part in accept.split(b","):
        media, _, parameters = part.strip().lower().partition(b";")
        if media.strip() in (
            b"*/*",
            b"application/*",
            b"application/json",
            b"application/problem+json",
        ) and not _refused(parameters):
            return
    raise NotAcceptable


def prefers_problem(accept: bytes) -> bool:
    """Whether errors go out as RFC 9457 problems: when the client names that media type."""
    return b"application/problem+json" in accept.lower()


def _refused(parameters: bytes) -> bool:
    """`q=0` says "not this one" (RFC 9110, 12.4.2)."""
    for parameter in parameters.split(b";"):
        name, _, value = parameter.strip().partition(b"=")
        if name.strip() == b"q":
            return value.strip() in (b"0", b"0.0", b"0.00", b"0.000")
    return False


def check_content_type(headers: RequestHeaders, allowed: Iterable[bytes]) -> None:
    """Raises `UnsupportedMediaType` unless the body is plain JSON in UTF-8."""
    media, _, parameters = headers.content_type.lower().partition(b";")
    charset = parameters.strip().replace(b'"', b"")
    if (
        media.strip() not in allowed
        or charset not in (b"", b"charset=utf-8")
        or headers.content_encoding not in (b"", b"identity")
    ):
        raise UnsupportedMediaType


async def read_body(receive: Receive, headers: RequestHeaders, limit: int) -> bytes:
    """The body. Raises `PayloadTooLarge` as soon as it is known to be over the limit, `ClientDisconnected` if it never ends."""
    if headers.content_length.isdigit() and int(headers.content_length[:20]) > limit:
        raise PayloadTooLarge(f"The request body is larger than {limit} bytes")
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise PayloadTooLarge(f"The request body is larger than {limit} bytes")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


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

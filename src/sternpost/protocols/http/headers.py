"""The parts of HTTP that come in: the headers that are read, and what they say of credentials and of media types."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sternpost.errors import InvalidCredentials, NotAcceptable, UnsupportedCoding, UnsupportedMediaType
from sternpost.protocols.http.encodings import GZIP
from sternpost.protocols.http.messages import PARSED, Scope

_HOST = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
"""A host and a port (RFC 9110, 7.2; RFC 3986, 3.2.2)."""


class RequestHeaders:
    """The request headers that Sternpost reads, found in one pass. What a request has not is set on the class."""

    hosts: int = 0
    accept: bytes = b""
    authorization: bytes | None = None
    authorizations: int = 0
    token: str | None = None
    """What `bearer_token` has found."""
    content_type: bytes = b""
    content_length: bytes = b""
    content_encoding: bytes = b""
    origin: bytes | None = None
    traceparent: str | None = None
    if_match: bytes | None = None
    if_none_match: bytes | None = None
    idempotency_key: bytes | None = None
    idempotency_keys: int = 0
    tracestate: str | None = None
    baggage: str | None = None


ENCODINGS = (b"", b"identity", *GZIP)
_RARE = frozenset({b"if-match", b"if-none-match", b"idempotency-key", b"tracestate", b"baggage"})

CARRIED_BYTES_MAX = 8192
"""What of `tracestate` and of `baggage` is passed on: W3C Baggage, 3.3.2, asks for as much. Longer ones are not."""


def read_headers(scope: Scope) -> RequestHeaders:
    """One pass over the headers, unless it was made before."""
    parsed = scope.get(PARSED)
    if parsed is not None:
        return parsed
    found = RequestHeaders()
    for name, value in scope["headers"]:
        if name == b"accept":
            found.accept = found.accept + b"," + value if found.accept else value
        elif name == b"authorization":
            found.authorization = value
            found.authorizations += 1
        elif name == b"host":
            found.hosts += 1 if _HOST.fullmatch(value) else 2  # what is none is as bad as several
        elif name == b"content-type":
            found.content_type = value
        elif name == b"content-length":
            found.content_length = value
        elif name == b"content-encoding":
            found.content_encoding = value
        elif name == b"origin":
            found.origin = value
        elif name == b"traceparent":
            found.traceparent = value.decode("latin-1")
        elif name in _RARE:
            _read_rare(found, name, value)
    return found


def _read_rare(found: RequestHeaders, name: bytes, value: bytes) -> None:
    """A list may come in several headers (RFC 9110, 5.3)."""
    if name == b"if-match":
        found.if_match = value if found.if_match is None else found.if_match + b"," + value
    elif name == b"if-none-match":
        found.if_none_match = value if found.if_none_match is None else found.if_none_match + b"," + value
    elif name == b"idempotency-key":
        found.idempotency_key = value
        found.idempotency_keys += 1
    elif name == b"tracestate":
        found.tracestate = _carried(found.tracestate, value)
    else:
        found.baggage = _carried(found.baggage, value)


def _carried(before: str | None, value: bytes) -> str | None:
    """What is only passed on, with what came of it before; too much is left out as a whole."""
    joined = value.decode("latin-1") if before is None else f"{before},{value.decode('latin-1')}"
    return joined if len(joined) <= CARRIED_BYTES_MAX else before


def bearer_token(headers: RequestHeaders) -> str | None:
    """The token of `Authorization: Bearer …`, or None without the header. Raises `InvalidCredentials` for anything
    else."""
    if headers.authorization is None:
        return None
    if headers.token is not None:
        return headers.token
    scheme, _, token = headers.authorization.partition(b" ")
    token = token.strip()
    if headers.authorizations > 1 or scheme.lower() != b"bearer" or not token:
        raise InvalidCredentials(
            "The Authorization header is malformed", log={"reason": "not exactly one Bearer token"}
        )
    headers.token = token.decode("latin-1")
    return headers.token


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


def check_accept_of(accept: bytes, media: bytes) -> None:
    """Raises `NotAcceptable` where the client does not take a media type."""
    if not accept:
        return
    kind = media.partition(b"/")[0] + b"/*"
    for part in accept.split(b","):
        wanted, _, parameters = part.strip().lower().partition(b";")
        if wanted.strip() in (b"*/*", kind, media) and not _refused(parameters):
            return
    raise NotAcceptable(f"This operation answers with {media.decode()}")


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
    if media.strip() not in allowed or charset not in (b"", b"charset=utf-8"):
        raise UnsupportedMediaType
    if headers.content_encoding not in ENCODINGS:
        raise UnsupportedCoding

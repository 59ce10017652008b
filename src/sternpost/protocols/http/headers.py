"""The parts of HTTP that come in: the headers that are read, and what they say of credentials and of media types."""

from __future__ import annotations

from collections.abc import Iterable

from sternpost.errors import InvalidCredentials, NotAcceptable, UnsupportedMediaType
from sternpost.protocols.http.messages import Scope

HEADERS_MAX = 100
"""Header lines of a request. Browsers send some twenty, and a chain of proxies adds a dozen."""


class RequestHeaders:
    """The request headers that Sternpost reads, found in one pass. What a request has not is set on the class."""

    hosts: int = 0
    accept: bytes = b""
    authorization: bytes | None = None
    authorizations: int = 0
    content_type: bytes = b""
    content_length: bytes = b""
    content_encoding: bytes = b""
    traceparent: str | None = None
    if_match: bytes | None = None
    if_none_match: bytes | None = None
    idempotency_key: str | None = None


_RARE = frozenset({b"if-match", b"if-none-match", b"idempotency-key"})


def read_headers(scope: Scope) -> RequestHeaders:
    """One pass over the headers."""
    found = RequestHeaders()
    for name, value in scope["headers"]:
        if name == b"accept":
            found.accept = found.accept + b"," + value if found.accept else value
        elif name == b"authorization":
            found.authorization = value
            found.authorizations += 1
        elif name == b"host":
            found.hosts += 1
        elif name == b"content-type":
            found.content_type = value
        elif name == b"content-length":
            found.content_length = value
        elif name == b"content-encoding":
            found.content_encoding = value
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
    else:
        found.idempotency_key = value.decode("latin-1")


def bearer_token(headers: RequestHeaders) -> str | None:
    """The token of `Authorization: Bearer …`, or None without the header. Raises `InvalidCredentials` for anything
    else."""
    if headers.authorization is None:
        return None
    scheme, _, token = headers.authorization.partition(b" ")
    token = token.strip()
    if headers.authorizations > 1 or scheme.lower() != b"bearer" or not token:
        raise InvalidCredentials(
            "The Authorization header is malformed", log={"reason": "not exactly one Bearer token"}
        )
    return token.decode("latin-1")


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
    if (
        media.strip() not in allowed
        or charset not in (b"", b"charset=utf-8")
        or headers.content_encoding not in (b"", b"identity")
    ):
        raise UnsupportedMediaType

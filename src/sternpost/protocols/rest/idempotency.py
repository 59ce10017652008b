"""The header `Idempotency-Key`: a string of structured fields (RFC 9651, 3.3.3), as the draft of the IETF has it, or
the same without quotes, as clients of Stripe send it."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sternpost.errors import Detail, Invalid
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import Header

KEY_MAX = 255

REPLAYED: Header = (b"idempotent-replayed", b"true")

_OF_TRANSPORT = frozenset(
    {
        *(b"idempotency-key", b"traceparent", b"tracestate", b"baggage", b"x-request-id", b"date", b"user-agent"),
        *(b"host", b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"),
        *(b"content-length", b"accept-encoding", b"via", b"forwarded"),
        *(b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-real-ip"),
    }
)
"""Headers of a connection, a proxy or a trace."""

_VISIBLE = re.compile(rb"[\x21-\x7e]+")
_QUOTED = re.compile(rb'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_ESCAPED = re.compile(rb'\\(["\\])')


def idempotency_key(headers: RequestHeaders) -> str:
    """The key: the same one with quotes and without. Raises `Invalid`, which says what is wrong with it."""
    sent = (headers.idempotency_key or b"").strip(b" \t")
    if headers.idempotency_keys > 1:
        raise _wrong("There are several of them: send one")
    if sent.startswith(b'"'):
        quoted = _QUOTED.fullmatch(sent)
        if quoted is None:
            raise _wrong('What begins with a quote is one string that ends with one, with \\" and \\\\ for " and \\')
        sent = _ESCAPED.sub(rb"\1", quoted[1])
    if not 1 <= len(sent) <= KEY_MAX:
        raise _wrong(f"A key has 1 to {KEY_MAX} characters, and this one has {len(sent)}")
    if not _VISIBLE.fullmatch(sent):
        raise _wrong("A key has visible characters of ASCII alone: no blanks, no letters with accents")
    return sent.decode("ascii")


def telling_headers(headers: Iterable[Header]) -> tuple[bytes, ...]:
    """What tells callers without credentials apart for a function that looks at the request, such as cookies: two of
    them must not share an answer. Headers that differ each time the same request is sent are left out."""
    told = (part for pair in headers if pair[0] not in _OF_TRANSPORT for part in pair)
    return tuple(told)


def _wrong(message: str) -> Invalid:
    return Invalid("Invalid headers", details=[Detail("Idempotency-Key", "invalid_header", message)])

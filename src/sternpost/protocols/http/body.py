"""Reading a request's body within its limit."""

from __future__ import annotations

import zlib

from sternpost.errors import Detail, Invalid, PayloadTooLarge
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import REFUSAL, Receive, told_refusals

CLIENT_CLOSED = 499
"""Logged, never sent: the client went away."""


class ClientDisconnected(Exception):
    """The client disconnected before its request was complete, so no response can be sent."""


GZIP_MEMBERS_MAX = 16
"""How many compressed pieces, one behind the other, a body may be made of (RFC 1952, 2.2)."""

_GZIP_WINDOW = 31


def decompressed(body: bytes, limit: int) -> bytes:
    """A body that came with `Content-Encoding: gzip` (RFC 9110, 8.4.1.3). No more than `limit` bytes are made of it.

    Raises:
        PayloadTooLarge: it is larger than that.
        Invalid: it is no gzip, or not all of it.
    """
    parts: list[bytes] = []
    size = 0
    for _ in range(GZIP_MEMBERS_MAX):
        reader = zlib.decompressobj(_GZIP_WINDOW)
        try:
            part = reader.decompress(body, limit + 1 - size)
        except zlib.error:
            raise _malformed() from None
        size += len(part)
        if size > limit:
            raise PayloadTooLarge(f"The request body is larger than {limit} bytes after decompression")
        if not reader.eof:
            raise _malformed()
        parts.append(part)
        body = reader.unused_data
        if not body:
            return b"".join(parts)
    raise _malformed()


def _malformed() -> Invalid:
    return Invalid(details=[Detail("", "gzip", "The body is no gzip, or not all of it, as Content-Encoding says")])


async def read_body(receive: Receive, headers: RequestHeaders, limit: int) -> bytes:
    """The body. Raises `PayloadTooLarge` as soon as it is known to be over the limit, `ClientDisconnected` if it never
    ends, and what the server says where it does not wait any longer."""
    if headers.content_length.isdigit() and int(headers.content_length[:20]) > limit:
        raise PayloadTooLarge(f"The request body is larger than {limit} bytes")
    told_refusals(receive)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise message.get(REFUSAL) or ClientDisconnected
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise PayloadTooLarge(f"The request body is larger than {limit} bytes")
        more = message.get("more_body", False)
        if not (more or chunks):  # nearly always
            return chunk
        chunks.append(chunk)
        if not more:
            return b"".join(chunks)

"""Reading a request's body within its limit."""

from __future__ import annotations

from sternpost.errors import PayloadTooLarge
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import Receive

CLIENT_CLOSED = 499
"""Logged, never sent: the client went away."""


class ClientDisconnected(Exception):
    """The client disconnected before its request was complete, so no response can be sent."""


async def read_body(receive: Receive, headers: RequestHeaders, limit: int) -> bytes:
    """The body. Raises `PayloadTooLarge` as soon as it is known to be over the limit, `ClientDisconnected` if it never
    ends."""
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

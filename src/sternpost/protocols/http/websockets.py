"""WebSockets, which mounted applications alone have: how a connection is refused that names none of them."""

from __future__ import annotations

from sternpost.protocols.http.messages import Receive, Send

POLICY_VIOLATION = 1008
"""RFC 6455, 7.4.1. It is not sent: before the handshake is complete, servers answer with 403 instead."""


async def refuse_websocket(receive: Receive, send: Send) -> None:
    """Refuses a connection before its handshake is complete."""
    await receive()  # "websocket.connect": some servers take no message before it was read
    await send({"type": "websocket.close", "code": POLICY_VIOLATION})

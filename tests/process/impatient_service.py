"""The slow service with short time limits for what clients send, and with an application that reads nothing."""

from __future__ import annotations

from typing import Any

from sternpost import Sternpost
from sternpost.app import protocol
from tests.process import slow_service

protocol.HEAD_SECONDS = 1.0
protocol.BODY_SECONDS = 1.0
protocol.BODY_BYTES_A_SECOND = 1024
protocol.SWEEP_SECONDS = 0.1


async def sink(scope: Any, receive: Any, send: Any) -> None:
    """Answers without reading what it was sent."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


app = Sternpost(
    slow_service.app.contract,
    services=[slow_service.wait, slow_service.hurry, slow_service.crash],
    mounts={"/sink": sink},
)

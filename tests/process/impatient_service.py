"""The slow service with an application that reads nothing."""

from __future__ import annotations

from typing import Any

from sternpost import Sternpost
from tests.process import slow_service


async def sink(scope: Any, receive: Any, send: Any) -> None:
    """Answers without reading what it was sent."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


app = Sternpost(
    slow_service.app.contract,
    services=[slow_service.wait, slow_service.hurry, slow_service.crash],
    mounts={"/sink": sink},
)

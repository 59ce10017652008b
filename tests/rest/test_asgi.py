"""What an ASGI server asks of an application besides requests: its start, its end, and web sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sternpost import Settings, Sternpost
from sternpost.errors import StartupError
from tests.support.contracts import app_of, contract_text

CONTRACT = contract_text({"Box": {"label": "str"}})


def is_running(app: Sternpost) -> bool:
    try:
        return bool(app.running)
    except RuntimeError:
        return False


async def test_it_starts_and_stops_with_its_server(make_settings: Callable[..., Settings]) -> None:
    app = app_of(CONTRACT, make_settings())
    events = iter(("startup", "shutdown"))
    seen: list[tuple[str, bool]] = []

    async def receive() -> dict[str, str]:
        event = next(events)
        seen.append((event, is_running(app)))
        return {"type": f"lifespan.{event}"}

    async def send(message: Any) -> None:
        seen.append((message["type"], is_running(app)))

    await app({"type": "lifespan"}, receive, send)
    assert seen == [
        ("startup", False),
        ("lifespan.startup.complete", True),
        ("shutdown", True),
        ("lifespan.shutdown.complete", False),
    ]


async def test_a_start_that_fails_is_told_to_the_server_with_its_reason(make_settings: Callable[..., Settings]) -> None:
    app = app_of(CONTRACT, make_settings(database_url="sqlite:///:memory:"))
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, str]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(StartupError, match="Use a file"):
        await app({"type": "lifespan"}, receive, send)
    (failed,) = sent
    assert failed["type"] == "lifespan.startup.failed"
    assert "Use a file" in failed["message"]


async def test_a_web_socket_is_refused(make_settings: Callable[..., Settings]) -> None:
    app = app_of(CONTRACT, make_settings())
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app.start()
    try:
        await app({"type": "websocket", "path": "/", "query_string": b"", "headers": []}, receive, send)
    finally:
        await app.stop()
    assert sent == [{"type": "websocket.close", "code": 1008}]

"""Other ASGI applications below a prefix. They run outside the pipeline: no policy, no limit, only a log line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sternpost.protocols.http.addresses import Served
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import Receive, Scope, Send
from sternpost.protocols.http.observed import watching
from sternpost.telemetry.observation import Observation

Asgi = Callable[[Scope, Receive, Send], Any]


def mounted(prefix: str, app: Asgi) -> Served:
    """The application, which is told the prefix as its root path."""
    root = prefix.rstrip("/")

    async def served(
        scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
    ) -> None:
        below = {**scope, "root_path": scope.get("root_path", "") + root}
        await app(below, receive, watching(below, send, observation))

    return served

"""`/health` and `/health/ready`: whether the process lives, and whether it can do its work."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sternpost.health.readiness import HEALTHY, Readiness
from sternpost.protocols.http.addresses import Served, only_read
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import JSON, SECURE, Receive, Scope, Send, send_response
from sternpost.telemetry.observation import Observation


def health_pages(readiness: Readiness) -> dict[str, Served]:
    """The two addresses."""

    async def live(
        scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
    ) -> None:
        await _answer(scope, send, observation, "Liveness checked", True, HEALTHY)

    async def ready(
        scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
    ) -> None:
        able, body = await readiness.report()
        await _answer(scope, send, observation, "Readiness checked", able, body)

    return {"/health": only_read(live), "/health/ready": only_read(ready)}


async def _answer(
    scope: Scope, send: Send, observation: Observation, message: str, able: bool, body: Mapping[str, Any]
) -> None:
    observation.success_message, observation.status = message, 200 if able else 503
    await send_response(scope, send, observation.status, [JSON], orjson.dumps(body), SECURE)

"""`/health`, `/health/ready` and `/health/startup`: whether the process lives, can do its work, and has started."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from sternpost.health.readiness import HEALTHY, STARTING, Readiness
from sternpost.protocols.http.addresses import Served, only_read
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import JSON, SECURE, Receive, Scope, Send, send_response
from sternpost.protocols.http.observed import HttpObservation

PLACE = "health"
"""The name that these pages are observed by."""
STARTUP = "/health/startup"


def health_pages(readiness: Readiness) -> dict[str, Served]:
    """The three addresses. None of them asks a dependency: readiness tells what was found in the background."""

    async def live(
        scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
    ) -> None:
        await _answer(scope, send, observation, "Liveness checked", True, HEALTHY)

    async def ready(
        scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
    ) -> None:
        able, body = readiness.report()
        observation.as_intended = readiness.draining
        await _answer(scope, send, observation, "Readiness checked", able, body)

    async def startup(
        scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
    ) -> None:
        started = readiness.started
        observation.as_intended = True
        await _answer(scope, send, observation, "Start checked", started, HEALTHY if started else STARTING)

    return {
        "/health": only_read(live, PLACE),
        "/health/ready": only_read(ready, PLACE),
        STARTUP: only_read(startup, PLACE),
    }


async def answer_starting(scope: Scope, send: Send) -> None:
    """What `/health/startup` is answered while nothing can be observed yet."""
    await send_response(scope, send, 503, [JSON], orjson.dumps(STARTING), SECURE)


async def _answer(
    scope: Scope, send: Send, observation: HttpObservation, message: str, able: bool, body: Mapping[str, Any]
) -> None:
    observation.success_message, observation.status = message, 200 if able else 503
    await send_response(scope, send, observation.status, [JSON], orjson.dumps(body), SECURE)

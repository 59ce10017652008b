"""The observation of a request: where it begins, and how the status of an answer gets into it that something else
writes."""

from __future__ import annotations

from typing import Any

from sternpost.clock import Clock
from sternpost.ids import random_hex
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import ANSWER, Scope, Send
from sternpost.telemetry.log import Log
from sternpost.telemetry.observation import Observation, trace_context


def observe(log: Log, clock: Clock, scope: Scope, headers: RequestHeaders) -> Observation:
    """A new observation. Its trace is the one that the client sent, or a new one."""
    bits = random_hex(64)
    trace_id, parent = bits[:32], None
    if headers.traceparent is not None:
        trace_id, parent = trace_context(headers.traceparent) or (trace_id, None)
    return Observation(
        log=log,
        request_id="req_" + bits[32:48],
        trace_id=trace_id,
        span_id=bits[48:],
        parent_span_id=parent,
        started=clock.monotonic(),
        method=scope["method"],
        path=scope["path"],
    )


def watching(scope: Scope, send: Send, observation: Observation) -> Send:
    """Notes the status of an answer that something else writes."""
    scope[ANSWER] = None

    async def watched(message: Any) -> None:
        if message["type"] == "http.response.start":
            observation.status = message["status"]
        await send(message)

    return watched

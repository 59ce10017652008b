"""The observation of a request over HTTP: where it begins, and how the status of an answer gets into it that something
else writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sternpost.clock import Clock
from sternpost.ids import new_request_id, random_hex
from sternpost.protocols.http.body import CLIENT_CLOSED
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import ANSWER, Scope, Send
from sternpost.telemetry.observation import Observation, Outcome, Sink, trace_context


@dataclass
class HttpObservation(Observation):
    """A request, and what is known of its answer."""

    method: str
    path: str
    scheme: str | None = field(init=False, default="http")
    status: int = field(init=False, default=0)

    @property
    def outcome(self) -> Outcome:
        """By the status."""
        status = self.status
        if status < 400 or self.as_intended:
            return "ok"
        return "failed" if status >= 500 else "left" if status == CLIENT_CLOSED else "rejected"

    @property
    def asked(self) -> str:
        """The method and the path."""
        return f"{self.method} {self.path}"

    @property
    def ending(self) -> str:
        """The status."""
        return f" with {self.status}"

    def members(self) -> dict[str, Any]:
        """Method, path and status."""
        return {"method": self.method, "path": self.path, "status": self.status}


def observe(sink: Sink, clock: Clock, scope: Scope, headers: RequestHeaders) -> HttpObservation:
    """A new observation. Its trace is the one that the client sent, or a new one."""
    bits = random_hex(64)
    trace_id, parent = bits[:32], None
    context = None if headers.traceparent is None else trace_context(headers.traceparent)
    if context is not None:
        trace_id, parent = context.trace_id, context.span_id
    observation = HttpObservation(
        sink,
        new_request_id(bits[32:48]),
        trace_id,
        bits[48:],
        parent,
        clock.monotonic(),
        scope["method"],
        scope["path"],
    )
    scheme = scope.get("scheme", "http")  # that of the client, where a trusted proxy has told it
    if scheme != "http":
        observation.scheme = scheme
    begins = sink.begins
    if begins is not None:
        if context is not None:
            observation.parent_sampled, observation.tracestate = context.sampled, headers.tracestate
        if headers.baggage is not None:
            observation.baggage = headers.baggage
        begins(observation)
    return observation


def watching(scope: Scope, send: Send, observation: HttpObservation) -> Send:
    """Notes the status of an answer that something else writes."""
    scope[ANSWER] = None

    async def watched(message: Any) -> None:
        await send(message)
        if message["type"] == "http.response.start":  # one that cannot be sent is none
            observation.status = message["status"]

    return watched

"""Makes spans of what was recorded: off the way of calls, in the thread that sends them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from sternpost.clock import Clock
from sternpost.otel.author import CallSpan, parent_context, span_context
from sternpost.otel.sql import Statements
from sternpost.telemetry.observation import Observation
from sternpost.telemetry.telemetry import RouteOf
from sternpost.telemetry.timings import Part

Masked = Callable[[Mapping[str, Any]], dict[str, Any]]
"""The values with those masked that log lines mask."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
"""The known ones of the semantic conventions for HTTP: any other text would be one that clients choose."""

_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_FAILED = Status(StatusCode.ERROR)
_UNSET = Status(StatusCode.UNSET)
_FRAME = re.compile(r'\s+File ".*", line \d+, in .*')
_OF_CODE = frozenset({"RuntimeError", "TypeError", "AssertionError", "AttributeError"})
"""Exceptions whose messages speak of code; those of others may hold values of rows. Log lines know the same ones."""


class Spans:
    """Makes spans.

    Args:
        masked: as for log lines.
        route_of: the address that a path stands for.
        new_span_id: replaced in tests.
    """

    def __init__(
        self,
        clock: Clock,
        resource: Resource,
        scope: InstrumentationScope,
        masked: Masked,
        route_of: RouteOf,
        new_span_id: Callable[[], int] = lambda: secrets.randbits(64) or 1,
    ) -> None:
        self._clock = clock
        self._resource = resource
        self._scope = scope
        self._masked = masked
        self.route_of = route_of
        self._new_span_id = new_span_id
        self.masks_paths = masked({"path": "/"})["path"] != "/"
        """Whether a sensitive field has that name."""
        self._statements = Statements()
        self._zero_ns = 0
        """When the monotonic clock was zero, in nanoseconds since the Unix epoch."""

    def set_time(self) -> None:
        """Compares the two clocks; once for all that is sent together."""
        self._zero_ns = int((self._clock.now().timestamp() - self._clock.monotonic()) * 1e9)

    def of(self, recorded: Observation | ReadableSpan) -> Sequence[ReadableSpan]:
        """The span of a call, with those of what it waited for; or one of the author's, masked."""
        if isinstance(recorded, ReadableSpan):
            return (self._masked_span(recorded),)
        context = span_context(recorded)
        call = self._call(recorded, context)
        if recorded.timings is None or not recorded.timings.parts:
            return (call,)
        return (call, *(self._part(part, context) for part in recorded.timings.parts))

    def ns(self, seconds: float) -> int:
        """An instant of the monotonic clock, in nanoseconds since the Unix epoch."""
        return self._zero_ns + int(seconds * 1e9)

    def masked_path(self, path: str) -> str:
        """A path as log lines have it."""
        return self._masked({"path": path})["path"]

    def empty(self) -> ReadableSpan:
        """A span of this service that tells nothing."""
        return self._span(name="", context=SpanContext(1, 1, is_remote=False), start_time=0, end_time=0)

    def described(self, observation: Observation) -> tuple[str, dict[str, Any], bool]:
        """The name of a call's span, its attributes, and whether the call has failed."""
        members = observation.members()
        method = members.get("method", "")
        method = method if method in METHODS else "_OTHER"
        route = observation.route or self.route_of(members.get("path", ""))
        attributes = self._attributes(observation, members, method, route)
        name = "HTTP" if method == "_OTHER" else method
        return (name if route is None else f"{name} {route}"), attributes, observation.outcome == "failed"

    def _span(self, **told: Any) -> ReadableSpan:
        return ReadableSpan(resource=self._resource, instrumentation_scope=self._scope, **told)

    def _call(self, observation: Observation, context: SpanContext) -> ReadableSpan:
        name, attributes, failed = self.described(observation)
        status, events = _FAILED if failed else _UNSET, ()
        own: CallSpan | None = observation.own_span
        if own is not None:
            attributes.update(self._masked(own.attributes))
            events = [self._masked_event(event) for event in own.events]
            name = own.name or name
            status = own.status or status
        return self._span(
            name=name,
            context=context,
            parent=parent_context(observation),
            kind=SpanKind.SERVER,
            attributes=attributes,
            events=events,
            status=status,
            start_time=self.ns(observation.started),
            end_time=self.ns(observation.ended),
        )

    def _attributes(
        self, observation: Observation, members: Mapping[str, Any], method: str, route: str | None
    ) -> dict[str, Any]:
        """By the semantic conventions for HTTP, and what only Sternpost knows."""
        attributes: dict[str, Any] = {
            "http.request.method": method,
            "url.path": self.masked_path(members.get("path", "")),
            "http.response.status_code": members.get("status", 0),
            "sternpost.request_id": observation.request_id,
            "sternpost.statements": observation.statements,
        }
        if method == "_OTHER":
            attributes["http.request.method_original"] = self._masked({"": members.get("method", "")[:64]})[""]
        failure = observation.error_code or observation.error_type
        timings = observation.timings
        more = (
            ("url.scheme", observation.scheme),
            ("http.route", route),
            ("sternpost.operation", observation.operation),
            ("sternpost.api_version", observation.api_version),
            ("enduser.id", observation.user_id),
            ("error.type", failure),
            ("sternpost.rate_limited", observation.rate_limited),
            ("sternpost.replayed", observation.replayed or None),
            ("sternpost.parts_left_out", timings.left_out or None if timings is not None else None),
        )
        return attributes | {name: value for name, value in more if value is not None}

    def _part(self, part: Part, call: SpanContext) -> ReadableSpan:
        attributes: dict[str, Any] = {"db.system.name": part.system}
        if part.kind in ("statement", "own statement"):
            told = self._statements.told(part.text, own=part.kind == "own statement")
            name = told.summary
            attributes["db.operation.name"] = told.operation
            if told.collection is not None:
                attributes["db.collection.name"] = told.collection
            if told.text is not None:
                attributes["db.query.text"] = told.text
        else:
            name = f"{part.kind} {part.text}"
        if part.shared:
            attributes["sternpost.grouped"] = True
        if part.error is not None:
            attributes["error.type"] = part.error
        above = call
        if part.within is not None:
            above = SpanContext(call.trace_id, int(part.within, 16), is_remote=False, trace_flags=_SAMPLED)
        return self._span(
            name=name,
            context=self._below(call),
            parent=above,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            status=_UNSET if part.error is None else _FAILED,
            start_time=self.ns(part.started),
            end_time=self.ns(part.ended),
        )

    def _below(self, call: SpanContext) -> SpanContext:
        return SpanContext(
            call.trace_id,
            self._new_span_id(),
            is_remote=False,
            trace_flags=_SAMPLED,
            trace_state=call.trace_state,
        )

    def _masked_span(self, span: ReadableSpan) -> ReadableSpan:
        """A span of the author's, whose values are masked as in the author's log lines."""
        return ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=self._masked(span.attributes or {}),
            events=[self._masked_event(event) for event in span.events],
            links=span.links,
            kind=span.kind,
            status=_status(span.status, span.events),
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    def _masked_event(self, event: Event) -> Event:
        attributes = self._masked(event.attributes or {})
        if event.name == "exception" and not _speaks_of_code(str(attributes.get("exception.type", ""))):
            attributes.pop("exception.message", None)
            stack = str(attributes.get("exception.stacktrace", ""))
            frames = (line for line in stack.splitlines() if _FRAME.fullmatch(line))
            attributes["exception.stacktrace"] = "\n".join(frames)
        return Event(event.name, attributes, event.timestamp)


def _speaks_of_code(name: str) -> bool:
    return name in _OF_CODE or name.startswith("sternpost.errors.")


def _status(status: Status, events: Sequence[Event]) -> Status:
    """Without a description that the SDK has made of an exception's message."""
    raised = any(event.name == "exception" for event in events)
    return Status(status.status_code) if raised and status.status_code is StatusCode.ERROR else status

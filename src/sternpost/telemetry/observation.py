"""What is observed of one call. The log line, the metrics and the span are read from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from sternpost.telemetry.events import Event
from sternpost.telemetry.timings import Timings

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 1


ELSEWHERE = "elsewhere"
"""The place of calls that reach nothing."""

Outcome = Literal["ok", "rejected", "failed", "left"]
"""How a call ended: as it should, with an error of the caller's, with one of the service's, or without its caller."""


class Sink(Protocol):
    """What is told of a call while it is executed."""

    @property
    def begins(self) -> Callable[[Observation], None] | None:
        """Told that a call begins; None where nobody wants to know."""
        ...

    def failed(self, observation: Observation, error: BaseException) -> None:
        """An error that the call ends with."""
        ...

    def tell(self, event: Event, observation: Observation | None = None) -> None:
        """Something that happened, in a call or in none."""
        ...

    def bound(self, observation: Observation) -> Any:
        """A logger that carries the call's ids."""
        ...


class Tracing(Protocol):
    """What the author's code finds its call's span by."""

    def entered(self, observation: Observation) -> AbstractContextManager[Any]:
        """Within the block the call's span is the current one."""
        ...


class Unobserved:
    """A sink that keeps nothing: what is asked for a mounted application is part of that one's request."""

    begins = None

    def failed(self, observation: Observation, error: BaseException) -> None:
        """Keeps nothing: whoever asks is told the error."""

    def tell(self, event: Event, observation: Observation | None = None) -> None:
        """Keeps nothing."""

    def bound(self, observation: Observation) -> Any:
        """No logger: no function of the author's runs."""
        return None


@dataclass
class Observation:
    """One call, from its first byte to its last, in the terms of no protocol; each protocol's own class adds what only
    it knows. What most calls do not set stands on the class."""

    sink: Sink
    request_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    started: float
    """By the monotonic clock, in seconds."""
    ended: float = field(init=False, default=0.0)
    operation: str | None = field(init=False, default=None)
    place: str = field(init=False, default=ELSEWHERE)
    """What a call reaches that reaches no operation, such as `health`: one of a few names that the application knows at
    its start."""
    route: str | None = field(init=False, default=None)
    """The address that was called, with `{id}` in place of an id; None where it is not known yet."""
    scheme: str | None = field(init=False, default=None)
    """Of the address that was called, such as `https`; None where a protocol has none."""
    success_message: str = field(init=False, default="")
    user_id: str | None = field(init=False, default=None)
    statements: int = field(init=False, default=0)
    error_code: str | None = field(init=False, default=None)
    rate_limited: str | None = field(init=False, default=None)
    """The rate limit that refused it."""
    api_version: str | None = field(init=False, default=None)
    """Told where the service has several."""
    as_intended: bool = field(init=False, default=False)
    """Whether a failure is none, such as that of readiness while the service is stopped."""
    replayed: bool = field(init=False, default=False)
    """Whether the answer is that of an earlier call with the same idempotency key."""
    parent_sampled: bool | None = field(init=False, default=None)
    """Whether the caller keeps its own span; None where it has told no trace."""
    tracestate: str | None = field(init=False, default=None)
    """What other systems have noted in the trace (W3C Trace Context, 3.3), as it was sent."""
    baggage: str | None = field(init=False, default=None)
    """What the caller passes on (W3C Baggage), as it was sent."""
    sampled: bool = field(init=False, default=False)
    """Whether there will be a span of it."""
    tracing: Tracing | None = field(init=False, default=None)
    """Makes its span known to the author's code; None where there are no traces."""
    timings: Timings | None = field(init=False, default=None)
    """What it waited for, where that is recorded."""
    own_span: Any = field(init=False, default=None)
    """What the author's code has noted in its span."""
    error_type: str | None = field(init=False, default=None)
    """Of an error that has no code."""

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        raise NotImplementedError

    @property
    def asked(self) -> str:
        """What was asked, in the protocol's words: `GET /api/v1/users`. Clients write it: it may hold anything."""
        raise NotImplementedError

    @property
    def ending(self) -> str:
        """What its log line says behind "failed", such as ` with 404`."""
        return ""

    def members(self) -> dict[str, Any]:
        """What only the protocol knows, by the names that log lines have for it. Texts may hold anything."""
        raise NotImplementedError

    def tell(self, event: Event) -> None:
        """Tells of something that happened in this call."""
        self.sink.tell(event, self)

    def logger(self) -> Any:
        """A logger for the author's code that carries this call's ids."""
        return self.sink.bound(self)


class TraceContext(NamedTuple):
    """What a caller tells of the trace that its call is part of."""

    trace_id: str
    span_id: str
    """Of the caller's span."""
    sampled: bool
    """Whether it keeps that span."""


def trace_context(traceparent: str) -> TraceContext | None:
    """What a W3C `traceparent` (version 00 or later) says; None where it is none."""
    found = _TRACEPARENT.fullmatch(traceparent) if len(traceparent) <= 256 else None
    if found is None or (traceparent.startswith("00") and found.group(4)):
        return None
    return TraceContext(found.group(1), found.group(2), bool(int(found.group(3), 16) & _SAMPLED))

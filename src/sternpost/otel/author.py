"""The span of a call as the author's code sees it: the current one of OpenTelemetry's API, below which others begin."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, attach, detach
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, Status, StatusCode, TraceFlags, TraceState
from opentelemetry.util.types import Attributes, AttributeValue

from sternpost.telemetry.observation import Observation

ATTRIBUTES_MAX = 128
EVENTS_MAX = 128
"""What the author's code may add to one span: the defaults of the specification's span limits."""

VALUE_CHARACTERS_MAX = 8192

_BAGGAGE = W3CBaggagePropagator()
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_NOT_SAMPLED = TraceFlags(TraceFlags.DEFAULT)


class CallSpan(Span):
    """The span of a call while it runs: it holds what the author's code adds, until the span itself is made. It ends
    with the call, whatever that code does."""

    def __init__(self, context: SpanContext) -> None:
        self._context = context
        self.attributes = _bounded(ATTRIBUTES_MAX)
        self.events: list[Event] = []
        self.left_out = 0
        self.name: str | None = None
        self.status: Status | None = None

    def end(self, end_time: int | None = None) -> None:
        """Nothing: the call itself ends it."""

    def get_span_context(self) -> SpanContext:
        return self._context

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        for key, value in attributes.items():
            self.attributes[key] = value

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        self.attributes[key] = value

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        if len(self.events) >= EVENTS_MAX:
            self.left_out += 1
            return
        held = _bounded(ATTRIBUTES_MAX, attributes)
        self.events.append(Event(name, held, time.time_ns() if timestamp is None else timestamp))

    def update_name(self, name: str) -> None:
        self.name = name

    def is_recording(self) -> bool:
        return True

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        given = status if isinstance(status, Status) else Status(status, description)
        before = self.status
        if given.status_code is StatusCode.UNSET or (before is not None and before.status_code is StatusCode.OK):
            return  # the specification: UNSET is ignored, and OK is final
        self.status = given

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        kind = type(exception)
        told: dict[str, AttributeValue] = {
            "exception.type": f"{kind.__module__}.{kind.__qualname__}"
            if kind.__module__ not in ("", "builtins")
            else kind.__qualname__,
            "exception.message": str(exception),
            "exception.stacktrace": "".join(traceback.format_exception(exception)),
            **(attributes or {}),
        }
        self.add_event("exception", told, timestamp)


class AuthorTracing:
    """Makes the span of a call the current one."""

    def entered(self, observation: Observation) -> Entered:
        """Within the block the author's code finds the span of the call, and what its caller passes on."""
        sampled = observation.sampled
        context = span_context(observation)
        span: Span
        if sampled:
            span = observation.own_span = CallSpan(context)
            if observation.timings is not None:
                observation.timings.within = _within(context.span_id)
        else:
            span = NonRecordingSpan(context)
        current = trace.set_span_in_context(span, Context())
        if observation.baggage is not None:
            current = _BAGGAGE.extract({"baggage": observation.baggage}, current)
        return Entered(current)


class Entered:
    """A context that is the current one within the block."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: Context) -> None:
        self._context = context
        self._token: Any = None

    def __enter__(self) -> None:
        self._token = attach(self._context)

    def __exit__(self, *_: object) -> None:
        detach(self._token)


class AuthorSpans(SpanProcessor):
    """Takes the spans that the author's code has begun, when they end."""

    def __init__(self) -> None:
        self.put: Callable[[ReadableSpan], None] | None = None
        """Where they go; None while nothing is sent."""

    def on_start(self, span: Any, parent_context: Context | None = None) -> None:
        """Nothing: a span is taken as a whole."""

    def on_end(self, span: ReadableSpan) -> None:
        put, context = self.put, span.context
        if put is not None and context is not None and context.trace_flags.sampled:
            put(span)

    def shutdown(self) -> None:
        self.put = None

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """True: what waits is sent soon, by a thread of its own."""
        return True


class OwnProvider(TracerProvider):
    """What gives the author's code its tracers, where the application has set nothing else."""

    def __init__(self, *, resource: Any) -> None:
        super().__init__(resource=resource, shutdown_on_exit=False)
        self.spans = AuthorSpans()
        self.add_span_processor(self.spans)


def take_author_spans(put: Callable[[ReadableSpan], None], resource: Any) -> AuthorSpans | None:
    """From now on the author's spans go to `put`; None where the application sends them by a provider of its own.

    OpenTelemetry has one provider in a process, which is set once. An application that is started again takes over the
    one that it has set before.
    """
    found = trace.get_tracer_provider()
    if isinstance(found, trace.ProxyTracerProvider):
        trace.set_tracer_provider(OwnProvider(resource=resource))
        found = trace.get_tracer_provider()
    if not isinstance(found, OwnProvider):
        return None
    found.spans.put = put
    return found.spans


def span_context(observation: Observation) -> SpanContext:
    """The ids of a call's span."""
    return SpanContext(
        int(observation.trace_id, 16),
        int(observation.span_id, 16),
        is_remote=False,
        trace_flags=_SAMPLED if observation.sampled else _NOT_SAMPLED,
        trace_state=trace_state(observation),
    )


def parent_context(observation: Observation) -> SpanContext | None:
    """The ids of its caller's span; None where it has told none."""
    if observation.parent_span_id is None:
        return None
    return SpanContext(
        int(observation.trace_id, 16),
        int(observation.parent_span_id, 16),
        is_remote=True,
        trace_flags=_SAMPLED if observation.parent_sampled else _NOT_SAMPLED,
        trace_state=trace_state(observation),
    )


def trace_state(observation: Observation) -> TraceState | None:
    """What other systems have noted in the trace; what is not well-formed is left out by the SDK."""
    return None if observation.tracestate is None else TraceState.from_header([observation.tracestate])


def _within(own: int) -> Callable[[], str | None]:
    """Tells the id of the author's span that is the current one, where it is not the call's own."""

    def within() -> str | None:
        current = trace.get_current_span().get_span_context().span_id
        return None if current in (own, 0) else f"{current:016x}"

    return within


def _bounded(most: int, attributes: Attributes = None) -> BoundedAttributes:
    return BoundedAttributes(most, attributes, immutable=False, max_value_len=VALUE_CHARACTERS_MAX)

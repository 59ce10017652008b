"""What is observed goes out by the OpenTelemetry protocol: spans of calls and of what they wait for, and log lines."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from sternpost.clock import Clock
from sternpost.otel.author import AuthorSpans, AuthorTracing, take_author_spans
from sternpost.otel.delivery import Delivery, Said, Tell, lost_by
from sternpost.otel.exporters import make_exporter, sends_bytes
from sternpost.otel.sampling import decided_by
from sternpost.otel.sending import Sender
from sternpost.otel.signals import Records
from sternpost.otel.spans import Spans
from sternpost.otel.wire import WireSpans
from sternpost.telemetry.events import Event, OtlpThreadFailed
from sternpost.telemetry.log import Write
from sternpost.telemetry.measured import Labels, Snapshot
from sternpost.telemetry.metric_names import BY_NAME, OTLP_LOST
from sternpost.telemetry.observation import Observation
from sternpost.telemetry.otlp import Otlp, SignalName
from sternpost.telemetry.telemetry import Reader, RouteOf
from sternpost.telemetry.traces import Traces
from sternpost.telemetry.waiting import Waiting
from sternpost.version import __version__

if TYPE_CHECKING:
    from sternpost.otel.metrics import Measurements

SNAPSHOT_SECONDS = 2.0
"""How long the event loop may take to give what was measured."""


class KnownResource(Resource):
    """A resource whose hash is worked out once. The exporters ask for it with each span, and the SDK's own writes all
    attributes as JSON each time, which takes as long as the span itself."""

    _known: int | None = None

    def __hash__(self) -> int:
        if self._known is None:
            self._known = super().__hash__()
        return self._known

    def __eq__(self, other: object) -> bool:
        return self is other or super().__eq__(other)


@dataclass(frozen=True, slots=True)
class Described:
    """What is sent along with everything.

    Attributes:
        name: of the service, where OpenTelemetry's variables do not name it.
        version: the contract's.
    """

    name: str
    version: str

    def resource(self) -> Resource:
        """The resource of this process: each has an id of its own, so that several workers are told apart."""
        told = {"service.version": self.version, "service.instance.id": secrets.token_hex(16)}
        named = Resource.create()
        default = str(named.attributes.get(SERVICE_NAME, "")).startswith("unknown_service")
        found = Resource({SERVICE_NAME: self.name} | told if default else told).merge(_without_default(named))
        return KnownResource(found.attributes, found.schema_url)


def _without_default(resource: Resource) -> Resource:
    kept = {
        name: value
        for name, value in resource.attributes.items()
        if name != "service.instance.id" and not (name == SERVICE_NAME and str(value).startswith("unknown_service"))
    }
    return Resource(kept, resource.schema_url)


class OtlpExport:
    """Sends what is observed.

    Args:
        statements: whether spans of what calls wait for are sent, too.
        masked: the values of attributes as log lines mask them.
        tell: tells an event.
    """

    def __init__(
        self,
        otlp: Otlp,
        clock: Clock,
        described: Described,
        *,
        statements: bool,
        masked: Callable[[Mapping[str, Any]], dict[str, Any]],
        tell: Tell,
    ) -> None:
        self._otlp = otlp
        self._clock = clock
        self._described = described
        self._masked = masked
        self._tell = tell
        self._said = Said()
        self._scope = InstrumentationScope("sternpost", __version__)
        self._senders: dict[SignalName, Sender] = {}
        self._sent: list[Records | Measurements] = []
        self._snapshot: Callable[[], Snapshot] | None = None
        self._author_spans: AuthorSpans | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: dict[SignalName, Waiting[Any]] = {
            name: Waiting(sending.waiting_max, sending.at_once_max, lambda name=name: self._wake(name))
            for name, sending in otlp.signals.items()
            if name != "metrics"
        }
        self._traces = None
        if "traces" in otlp.signals:
            tracing, decide = AuthorTracing(), decided_by(otlp)
            waiting = self._waiting["traces"]
            self._traces = Traces(waiting, decide, tracing, clock.monotonic, statements=statements)

    @property
    def begins(self) -> Callable[[Observation], None] | None:
        """Told that a call begins."""
        return None if self._traces is None else self._traces.begins

    def readers(self) -> Sequence[Reader]:
        """What is told of calls."""
        return () if self._traces is None else (self._traces,)

    @property
    def sends_metrics(self) -> bool:
        """Whether it sends what is measured, too."""
        return "metrics" in self._otlp.signals

    def measured_by(self, snapshot: Callable[[], Snapshot]) -> None:
        """Where it reads that; called in the event loop."""
        self._snapshot = snapshot

    def readings(self) -> Iterator[tuple[str, Labels, float]]:
        """How much could not be sent, as metrics."""
        for sent in self._sent:
            yield OTLP_LOST.name, (sent.name, "left_out"), sent.dropped
            yield OTLP_LOST.name, (sent.name, "not_taken"), sent.delivery.lost

    def writing(self, write: Write) -> Write:
        """What takes log lines, before `write` does."""
        waiting = self._waiting.get("logs")
        if waiting is None:
            return write

        def both(line: bytes) -> None:
            waiting.put(line)
            write(line)

        return both

    def start(self, route_of: RouteOf) -> None:
        """Begins to send. Threads and connections are made here, because a process that is forked has none of them."""
        self._loop = asyncio.get_running_loop()
        resource = self._described.resource()
        if "traces" in self._otlp.signals:
            spans = Spans(self._clock, resource, self._scope, self._masked, route_of)
            self._author_spans = take_author_spans(self._waiting["traces"].put, resource)
            self._send("traces", spans.of, spans.set_time, WireSpans(spans, partial(self._failed, "traces")))
        if "logs" in self._otlp.signals:
            from sternpost.otel.logs import record_of

            self._send("logs", lambda line: (record_of(line, resource, self._scope),))
        if self.sends_metrics and self._snapshot is not None:
            self._send_metrics(resource)
        self._said.listen()  # what exporters say of variables while they are made is for the log
        for sender in self._senders.values():
            sender.start()

    async def stop(self) -> None:
        """Sends what waits, within a time limit, and tells how much was never sent."""
        senders, self._senders = self._senders, {}
        if not senders:
            return
        if self._author_spans is not None:
            self._author_spans.put = None
        for sent in self._sent:
            sent.delivery.ending = True
        for sender in senders.values():
            sender.end()
        for sender in senders.values():
            await asyncio.to_thread(sender.wait)
        self._said.leave()
        lost = lost_by([(sent.delivery, sent.dropped) for sent in self._sent])
        if lost is not None:
            self._tell_in_loop(lost)
        self._sent = []

    def _send(
        self,
        name: SignalName,
        make: Callable[[Any], Any],
        begin: Callable[[], None] = lambda: None,
        wire: WireSpans | None = None,
    ) -> None:
        sending = self._otlp.signals[name]
        exporter = make_exporter(name, sending.transport)
        send_bytes = sends_bytes(exporter) if wire is not None else None
        direct = None
        if wire is not None and send_bytes is not None:
            direct = partial(_send_request, wire, send_bytes)
        records = Records(
            name,
            self._waiting[name],
            exporter,
            make,
            Delivery(name, sending.endpoint, self._tell_in_loop, self._said, self._clock.monotonic),
            sending.at_once_max,
            self._failed,
            begin,
            direct,
        )
        self._sent.append(records)
        self._senders[name] = Sender(records, sending.every_seconds, self._failed)

    def _send_metrics(self, resource: Resource) -> None:
        from sternpost.otel.metrics import Measurements

        sending = self._otlp.signals["metrics"]
        exporter = make_exporter("metrics", sending.transport)
        delivery = Delivery("metrics", sending.endpoint, self._tell_in_loop, self._said, self._clock.monotonic)
        measured = Measurements(exporter, self._take, BY_NAME, resource, self._scope, delivery)
        self._sent.append(measured)
        self._senders["metrics"] = Sender(measured, sending.every_seconds, self._failed)

    def _take(self) -> Snapshot | None:
        """What was measured up to now, read in the event loop, where it changes; None where that does not answer."""
        assert self._loop is not None, "it has started"
        taken: Future[Snapshot] = Future()

        def take() -> None:
            assert self._snapshot is not None, "there is something to be read"
            taken.set_result(self._snapshot())

        with contextlib.suppress(RuntimeError, TimeoutError):
            self._loop.call_soon_threadsafe(take)
            return taken.result(SNAPSHOT_SECONDS)
        return None

    def _wake(self, name: SignalName) -> None:
        sender = self._senders.get(name)
        if sender is not None:
            sender.wake()

    def _failed(self, signal: str, error: Exception) -> None:
        self._tell_in_loop(OtlpThreadFailed(signal=signal, reason=type(error).__name__))

    def _tell_in_loop(self, event: Event) -> None:
        """Log lines are written in the event loop."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: there is nobody to tell
                self._loop.call_soon_threadsafe(self._tell, event)


def _send_request(wire: WireSpans, send: Callable[[bytes], bool], taken: Sequence[Any]) -> bool:
    return send(wire.request(taken))

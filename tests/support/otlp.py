"""A receiver of the OpenTelemetry protocol, by HTTP and by gRPC, that decodes what it is sent and keeps it."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc

SECONDS = 20

REQUESTS = {
    "/v1/traces": trace_service.ExportTraceServiceRequest,
    "/v1/logs": logs_service.ExportLogsServiceRequest,
    "/v1/metrics": metrics_service.ExportMetricsServiceRequest,
}


@dataclass
class Span:
    """A span as it was received, ids in hexadecimal digits."""

    name: str
    trace_id: str
    span_id: str
    parent: str
    kind: int
    status: int
    start: int
    end: int
    trace_state: str
    attributes: dict[str, Any]
    events: list[tuple[str, dict[str, Any]]]
    resource: dict[str, Any]


@dataclass
class Line:
    """A log record as it was received."""

    body: str
    severity: int
    trace_id: str
    span_id: str
    attributes: dict[str, Any]
    resource: dict[str, Any]
    instant: int


@dataclass
class Receiver:
    """What was received so far."""

    endpoint: str = ""
    spans: list[Span] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    metrics: list[tuple[Any, dict[str, Any]]] = field(default_factory=list)
    """With the resource of each."""
    headers: list[dict[str, str]] = field(default_factory=list)
    asked: int = 0
    status: int = 200
    """What requests are answered with."""
    silent: threading.Event | None = None
    """Set, where it answers at all again."""

    def environment(self, **more: str) -> dict[str, str]:
        """The variables of a service that sends here, soon."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_BLRP_SCHEDULE_DELAY": "50",
            "OTEL_METRIC_EXPORT_INTERVAL": "200",
            **more,
        }

    def wait(self, found: Callable[[], Any], seconds: float = SECONDS) -> Any:
        """Waits until something was received, and gives it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if result := found():
                return result
            time.sleep(0.01)
        names = [span.name for span in self.spans]
        raise AssertionError(f"not received; spans: {names}, lines: {[line.body for line in self.lines]}")

    def span(self, name: str, **attributes: Any) -> Span:
        """Waits for a span by its name, with these attributes (an underscore stands for a dot)."""
        wanted = {key.replace("__", "."): value for key, value in attributes.items()}

        def found() -> Span | None:
            return next(
                (
                    span
                    for span in list(self.spans)
                    if span.name == name and all(span.attributes.get(key) == value for key, value in wanted.items())
                ),
                None,
            )

        return self.wait(found)

    def metric(self, name: str, **attributes: Any) -> Any:
        """Waits for a metric by its name, and gives the newest point with these attributes."""

        def found() -> Any:
            for metric, _ in reversed(list(self.metrics)):
                data = getattr(metric, metric.WhichOneof("data"))
                for point in data.data_points:
                    if metric.name == name and attributes.items() <= values(point.attributes).items():
                        return point
            return None

        return self.wait(found)

    def below(self, parent: Span) -> list[Span]:
        """The spans whose parent it is."""
        return [span for span in self.spans if span.parent == parent.span_id and span.trace_id == parent.trace_id]

    def take(self, request: Any) -> None:
        """Keeps what a request holds."""
        for of_resource in getattr(request, "resource_spans", ()):
            resource = values(of_resource.resource.attributes)
            for scope in of_resource.scope_spans:
                self.spans += [span_of(span, resource) for span in scope.spans]
        for of_resource in getattr(request, "resource_logs", ()):
            resource = values(of_resource.resource.attributes)
            for scope in of_resource.scope_logs:
                self.lines += [line_of(record, resource) for record in scope.log_records]
        for of_resource in getattr(request, "resource_metrics", ()):
            resource = values(of_resource.resource.attributes)
            for scope in of_resource.scope_metrics:
                self.metrics += [(metric, resource) for metric in scope.metrics]


def values(pairs: Any) -> dict[str, Any]:
    return {pair.key: value_of(pair.value) for pair in pairs}


def value_of(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [value_of(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return values(value.kvlist_value.values)
    return getattr(value, kind) if kind else None


def span_of(span: Any, resource: dict[str, Any]) -> Span:
    return Span(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        span.status.code,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.trace_state,
        values(span.attributes),
        [(event.name, values(event.attributes)) for event in span.events],
        resource,
    )


def line_of(record: Any, resource: dict[str, Any]) -> Line:
    return Line(
        value_of(record.body),
        record.severity_number,
        record.trace_id.hex(),
        record.span_id.hex(),
        values(record.attributes),
        resource,
        record.time_unix_nano,
    )


@contextmanager
def http_receiver(silent: bool = False) -> Iterator[Receiver]:
    """A receiver by HTTP; a silent one takes requests and never answers."""
    receiver = Receiver(silent=threading.Event() if silent else None)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            receiver.asked += 1
            if receiver.silent is not None:
                receiver.silent.wait(60)
            if receiver.status == 200:
                receiver.headers.append(dict(self.headers))
                receiver.take(REQUESTS[self.path].FromString(body))
            self.send_response(receiver.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # its client has gone

    server = Server(("127.0.0.1", 0), Handler)
    receiver.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.silent is not None:
            receiver.silent.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Service:
    def __init__(self, receiver: Receiver, answer: Any) -> None:
        self._receiver, self._answer = receiver, answer

    def Export(self, request: Any, context: Any) -> Any:
        self._receiver.asked += 1
        self._receiver.headers.append(dict(context.invocation_metadata()))
        self._receiver.take(request)
        return self._answer()


@contextmanager
def grpc_receiver() -> Iterator[Receiver]:
    """A receiver by gRPC."""
    receiver = Receiver()
    server = grpc.server(ThreadPoolExecutor(4))
    trace_grpc.add_TraceServiceServicer_to_server(_Service(receiver, trace_service.ExportTraceServiceResponse), server)
    logs_grpc.add_LogsServiceServicer_to_server(_Service(receiver, logs_service.ExportLogsServiceResponse), server)
    metrics_grpc.add_MetricsServiceServicer_to_server(
        _Service(receiver, metrics_service.ExportMetricsServiceResponse), server
    )
    receiver.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield receiver
    finally:
        server.stop(0).wait()

"""Makes log records of log lines: off the way of whoever logs, in the thread that sends them.

Source: OpenTelemetry Specification, "Logs Data Model".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

_SEVERITIES: Mapping[str, SeverityNumber] = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
}
_TOLD_ELSEWHERE = frozenset({"timestamp", "level", "message", "service", "traceId", "spanId"})


def record_of(line: bytes, resource: Resource, scope: InstrumentationScope) -> ReadableLogRecord:
    """A line as a record. What the line masks is masked in it: it is made of nothing else."""
    told: dict[str, Any] = orjson.loads(line)
    instant = int(datetime.fromisoformat(told["timestamp"]).timestamp() * 1000) * 1_000_000
    level: str = told["level"]
    record = LogRecord(
        timestamp=instant,
        observed_timestamp=instant,
        context=_context(told.get("traceId"), told.get("spanId")),
        severity_text=level.upper(),
        severity_number=_SEVERITIES.get(level, SeverityNumber.UNSPECIFIED),
        body=told["message"],
        attributes={name: value for name, value in told.items() if value is not None and name not in _TOLD_ELSEWHERE},
    )
    return ReadableLogRecord(record, resource, scope)


def _context(trace_id: str | None, span_id: str | None) -> Context:
    if not trace_id or not span_id:
        return Context()
    span = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False)
    return set_span_in_context(NonRecordingSpan(span), Context())

"""The standard OTLP exporters, by signal and transport. Address, headers, certificates, compression and time limit they
read from OpenTelemetry's variables themselves."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from sternpost.errors import StartupError
from sternpost.telemetry.otlp import SignalName, Transport

_PACKAGE = "opentelemetry.exporter.otlp.proto"
_KINDS: dict[SignalName, tuple[str, str]] = {
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
}
"""Modules and classes, by what they send. Each module takes some megabytes, those for gRPC twenty, so that only what is
used is imported."""


def make_exporter(signal: SignalName, transport: Transport) -> Any:
    """A new exporter, with a connection of its own.

    Raises:
        StartupError: a variable that it reads holds what it does not take.
    """
    module, kind = _KINDS[signal]
    exporters = import_module(f"{_PACKAGE}.{'grpc' if transport == 'grpc' else 'http'}.{module}")
    try:
        return getattr(exporters, kind)()
    except Exception as error:
        raise StartupError(
            f"What sends {signal} by OTLP could not be made: {type(error).__name__}: {error}. Correct the variables "
            "OTEL_EXPORTER_OTLP_…"
        ) from error


def sends_bytes(exporter: Any) -> Callable[[bytes], bool] | None:
    """How the exporter sends a request that is encoded already, and whether that succeeded; None where it cannot: its
    public method takes objects alone, so that another version of it, or that for gRPC, goes the longer way."""
    send = getattr(getattr(exporter, "_client", None), "export", None)
    return None if send is None else lambda body: bool(send(body).success)

"""Sends traces, log lines and metrics by the OpenTelemetry protocol. The only place that imports opentelemetry."""

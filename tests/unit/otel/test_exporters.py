"""The standard exporters, made as OpenTelemetry's variables say."""

from __future__ import annotations

import pytest

from sternpost.errors import StartupError
from sternpost.otel.exporters import make_exporter
from sternpost.telemetry.otlp import SIGNALS, SignalName


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")


@pytest.mark.parametrize("signal", SIGNALS)
def test_what_an_exporter_does_not_take_ends_the_start(signal: SignalName) -> None:
    with pytest.raises(StartupError, match="OTEL_EXPORTER_OTLP"):
        make_exporter(signal, "grpc")


@pytest.mark.parametrize("signal", SIGNALS)
def test_what_it_does_without_is_told(signal: SignalName, caplog: pytest.LogCaptureFixture) -> None:
    make_exporter(signal, "http/protobuf").shutdown()
    assert "Invalid timeout value 'soon'" in caplog.text

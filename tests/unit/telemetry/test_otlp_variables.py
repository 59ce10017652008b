"""What OpenTelemetry's variables ask for, and which of them are refused at the start."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sternpost import Browse, Contract, Resource, Settings, Sternpost, field, public
from sternpost.errors import StartupError
from sternpost.telemetry.otlp import read_otlp

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


def test_nothing_is_sent_without_an_endpoint() -> None:
    assert read_otlp({}) is None
    assert read_otlp({"OTEL_EXPORTER_OTLP_ENDPOINT": " ", "OTEL_TRACES_EXPORTER": "otlp"}) is None
    assert read_otlp({**ENDPOINT, "OTEL_SDK_DISABLED": "True"}) is None
    every = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "LOGS", "METRICS")}
    assert read_otlp({**ENDPOINT, **every}) is None


def test_each_signal_may_have_its_own_endpoint_and_protocol() -> None:
    found = read_otlp({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"})
    assert found is not None
    assert list(found.signals) == ["traces"]
    found = read_otlp({**ENDPOINT, "OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc"})
    assert found is not None
    assert {name: sending.transport for name, sending in found.signals.items()} == {
        "traces": "http/protobuf",
        "metrics": "grpc",
    }
    assert (found.sampler, found.ratio) == ("parentbased_always_on", 1.0)
    traces = found.signals["traces"]
    assert (traces.every_seconds, traces.waiting_max, traces.at_once_max) == (5, 2048, 512)
    assert found.signals["metrics"].every_seconds == 60


def test_quantities() -> None:
    env = {"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BLRP_SCHEDULE_DELAY": "250", "OTEL_METRIC_EXPORT_INTERVAL": "1500"}
    found = read_otlp({**ENDPOINT, **env})
    assert found is not None
    assert found.signals["traces"].at_once_max == 100  # not more than there can be
    assert found.signals["logs"].every_seconds == 0.25
    assert found.signals["metrics"].every_seconds == 1.5


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_TRACES_EXPORTER", "zipkin"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "udp"),
        ("OTEL_TRACES_SAMPLER", "jaeger_remote"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1s"),
    ],
)
def test_what_cannot_be_done_is_refused(variable: str, value: str) -> None:
    with pytest.raises(StartupError, match=variable):
        read_otlp({**ENDPOINT, variable: value})


@pytest.mark.parametrize("value", ["1.5", "-0.1", "half", "nan"])
def test_a_ratio_is_one(value: str) -> None:
    env = {**ENDPOINT, "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": value}
    with pytest.raises(StartupError, match="OTEL_TRACES_SAMPLER_ARG"):
        read_otlp(env)


async def test_an_endpoint_needs_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Note(Resource, prefix="not"):
        text: str = field(max_length=40)
        browse = Browse(allow=public)

    for name in [name for name in sys.modules if name.startswith("sternpost.otel")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)  # as where it is not installed
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    settings = Settings.model_validate({"database_url": f"sqlite:///{tmp_path / 'n.sqlite'}", "env": "test"})
    app = Sternpost(Contract("notes", resources=[Note]), settings=settings)
    with pytest.raises(StartupError, match=r"pip install 'sternpost\[otel\]'"):
        await app.start()


@pytest.mark.parametrize(
    ("env", "traces", "metrics"),
    [
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1/"},
            "http://a:1/v1/traces",
            "http://a:1/v1/metrics",
        ),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:word@a/x?key=word",
                "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://user:word@b:2/own?key=word",
            },
            "https://b:2/own",
            "https://a/x",
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "user:word@a:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "a:4317",
            "a:4317",
        ),
    ],
)
def test_where_it_is_sent_to_is_told_without_secrets(env: dict[str, str], traces: str, metrics: str) -> None:
    found = read_otlp(env)
    assert found is not None
    assert (found.signals["traces"].endpoint, found.signals["metrics"].endpoint) == (traces, metrics)

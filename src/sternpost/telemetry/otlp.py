"""What is to be sent by the OpenTelemetry protocol, as OpenTelemetry's own variables say it, and how.

Sources: OpenTelemetry Specification, "Environment Variable Specification" and "OTLP Exporter Configuration".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from sternpost.errors import StartupError

SignalName = Literal["traces", "logs", "metrics"]
SIGNALS: tuple[SignalName, ...] = ("traces", "logs", "metrics")

Transport = Literal["http/protobuf", "grpc"]
SamplerName = Literal[
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
]
_SAMPLERS: Mapping[str, SamplerName] = {name: name for name in get_args(SamplerName)}


@dataclass(frozen=True, slots=True)
class Sending:
    """How one signal is sent.

    Attributes:
        every_seconds: how long something may wait before it is sent.
        waiting_max: how many records wait at most.
        at_once_max: how many are sent in one request.
        endpoint: where it is sent to, for log lines: without what may be secret in an address.
    """

    transport: Transport
    every_seconds: float
    waiting_max: int
    at_once_max: int
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Otlp:
    """What is sent.

    Attributes:
        signals: those that are sent.
        sampler: of which calls there are spans.
        ratio: of how many of the traces, for the two samplers that ask for it.
    """

    signals: Mapping[SignalName, Sending]
    sampler: SamplerName
    ratio: float


def read_otlp(environ: Mapping[str, str]) -> Otlp | None:
    """What the environment asks for; None where nothing is to be sent, because no endpoint is set, or
    `OTEL_SDK_DISABLED` is true.

    Raises:
        StartupError: a variable holds what cannot be done.
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    signals: dict[SignalName, Sending] = {
        signal: _sending(environ, signal) for signal in SIGNALS if _is_sent(environ, signal)
    }
    if not signals:
        return None
    name = environ.get("OTEL_TRACES_SAMPLER", "").strip().lower() or "parentbased_always_on"
    sampler = _SAMPLERS.get(name)
    if sampler is None:
        raise StartupError(f"OTEL_TRACES_SAMPLER is {name!r}. Set it to one of {', '.join(_SAMPLERS)}.")
    return Otlp(signals, sampler, _ratio(environ) if sampler.endswith("ratio") else 1.0)


def _is_sent(environ: Mapping[str, str], signal: SignalName) -> bool:
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    exporter = environ.get(variable, "").strip() or "otlp"
    if exporter not in ("otlp", "none"):
        raise StartupError(f"{variable} is {exporter!r}. Set it to otlp or none.")
    names = ("OTEL_EXPORTER_OTLP_ENDPOINT", f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    return exporter == "otlp" and any(environ.get(name, "").strip() for name in names)


def _sending(environ: Mapping[str, str], signal: SignalName) -> Sending:
    names = (f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    variable = next((name for name in names if environ.get(name, "").strip()), names[1])
    transport = environ.get(variable, "").strip() or "http/protobuf"
    if transport not in ("http/protobuf", "grpc"):
        raise StartupError(f"{variable} is {transport!r}. Set it to http/protobuf or grpc.")
    if transport == "http/protobuf":
        _check_address(environ, signal)
    endpoint = _endpoint(environ, signal, transport)
    if signal == "metrics":
        every = _number(environ, "OTEL_METRIC_EXPORT_INTERVAL", 60_000)
        return Sending(transport, every / 1000, waiting_max=1, at_once_max=1, endpoint=endpoint)
    batch = "OTEL_BSP" if signal == "traces" else "OTEL_BLRP"
    every = _number(environ, f"{batch}_SCHEDULE_DELAY", 5_000 if signal == "traces" else 1_000)
    most = _number(environ, f"{batch}_MAX_QUEUE_SIZE", 2_048)
    at_once = _number(environ, f"{batch}_MAX_EXPORT_BATCH_SIZE", 512)
    return Sending(transport, every / 1000, most, min(at_once, most), endpoint)


def _endpoint(environ: Mapping[str, str], signal: SignalName, transport: Transport) -> str:
    """The address of a signal, as the specification has it: its own as it is, the common one with a path below it."""
    own = environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "").strip()
    address = own or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip()
    if not own and transport == "http/protobuf":
        address = f"{address.removesuffix('/')}/v1/{signal}"
    scheme, separator, rest = address.rpartition("://")
    place, slash, path = rest.partition("?")[0].partition("#")[0].partition("/")
    return f"{scheme}{separator}{place.rpartition('@')[2]}{slash}{path}"


def _check_address(environ: Mapping[str, str], signal: SignalName) -> None:
    """Raises `StartupError` for an endpoint that no request can be sent to, which would be told by each one only."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        endpoint = environ.get(variable, "").strip()
        if endpoint and not endpoint.lower().startswith(("http://", "https://")):
            raise StartupError(f"{variable} is {endpoint!r}. Set it to an address such as http://127.0.0.1:4318.")


def _number(environ: Mapping[str, str], variable: str, default: int) -> int:
    text = environ.get(variable, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 2**31:
        raise StartupError(f"{variable} is {text!r}. Set it to a whole number from 1 on.")
    return int(text)


def _ratio(environ: Mapping[str, str]) -> float:
    text = environ.get("OTEL_TRACES_SAMPLER_ARG", "").strip() or "1"
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise StartupError(f"OTEL_TRACES_SAMPLER_ARG is {text!r}. Set it to a number from 0 to 1, such as 0.1.")
    return ratio

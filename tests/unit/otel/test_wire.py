"""Spans that are encoded here are those that the SDK encodes of the same calls."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from sternpost.otel.spans import Spans
from sternpost.otel.wire import WireSpans, varint
from sternpost.protocols.http.observed import HttpObservation
from sternpost.telemetry.observation import Unobserved
from sternpost.testing import ManualClock

IDS = st.integers(1, 2**64 - 1)
TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=200))


@st.composite
def calls(draw: st.DrawFn) -> HttpObservation:
    path = draw(st.sampled_from(["/a/1", "/b", "/a@b.example", "/é", "/" + "x" * 1500]))
    parent = draw(st.one_of(st.none(), IDS))
    call = HttpObservation(
        Unobserved(),
        f"req_{draw(IDS):016x}",
        f"{draw(IDS):032x}",
        f"{draw(IDS):016x}",
        None if parent is None else f"{parent:016x}",
        draw(st.floats(0, 1000)),
        draw(st.sampled_from(["GET", "POST", "PURGE"])),
        path,
    )
    call.ended = call.started + draw(st.floats(0, 1000))
    call.status = draw(st.sampled_from([200, 201, 404, 429, 499, 500, 503]))
    call.scheme = draw(st.sampled_from(["http", "https"]))
    call.statements = draw(st.integers(0, 2**40))
    call.operation, call.user_id, call.error_code = draw(TEXTS), draw(TEXTS), draw(TEXTS)
    call.api_version, call.rate_limited, call.replayed = draw(TEXTS), draw(TEXTS), draw(st.booleans())
    call.sampled = True
    return call


def masked(values: Any) -> dict[str, Any]:
    return {name: "***" if "@" in value else value[:1000] for name, value in values.items()}


def spans() -> Spans:
    made = Spans(
        ManualClock(),
        Resource({"service.name": "shop", "more": 1}),
        InstrumentationScope("sternpost", "1"),
        masked,
        lambda path: "/a/{id}" if path.startswith("/a") else None,
    )
    made.set_time()
    return made


def fail(error: Exception) -> None:
    raise error


def in_order(request: ExportTraceServiceRequest) -> ExportTraceServiceRequest:
    """The same with attributes in the order of their names: that of a span says nothing."""
    for around in request.resource_spans:
        for scope in around.scope_spans:
            for span in scope.spans:
                pairs = sorted(span.attributes, key=lambda pair: pair.key)
                del span.attributes[:]
                span.attributes.extend(pairs)
    return request


@settings(max_examples=200, deadline=None)
@given(st.lists(calls(), min_size=1, max_size=5))
def test_it_is_what_the_sdk_makes(made: list[HttpObservation]) -> None:
    ours = spans()
    found = ExportTraceServiceRequest.FromString(WireSpans(ours, fail).request([*made, *made]))
    wanted = encode_spans([span for call in [*made, *made] for span in ours.of(call)])
    assert in_order(found) == in_order(wanted)


def test_what_has_parts_goes_the_way_of_the_sdk_in_the_same_request() -> None:
    ours = spans()
    plain = HttpObservation(Unobserved(), "req_1", "1" * 32, "2" * 16, None, 0.0, "GET", "/b")
    rich = HttpObservation(Unobserved(), "req_2", "3" * 32, "4" * 16, None, 0.0, "GET", "/b")
    rich.tracestate = "a=b"
    found = ExportTraceServiceRequest.FromString(WireSpans(ours, fail).request([rich, plain]))
    names = [span.trace_id.hex() for around in found.resource_spans for span in around.scope_spans[0].spans]
    assert sorted(names) == ["1" * 32, "3" * 32]


def test_what_nothing_can_be_made_of_is_told_and_keeps_nothing_back() -> None:
    failures: list[Exception] = []
    broken = HttpObservation(Unobserved(), "req_1", "no hex", "2" * 16, None, 0.0, "GET", "/b")
    whole = HttpObservation(Unobserved(), "req_2", "3" * 32, "4" * 16, None, 0.0, "GET", "/b")
    found = ExportTraceServiceRequest.FromString(WireSpans(spans(), failures.append).request([broken, whole]))
    assert len(found.resource_spans[0].scope_spans[0].spans) == 1
    assert [type(failure) for failure in failures] == [ValueError]


@pytest.mark.parametrize(("number", "wanted"), [(0, b"\x00"), (127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02")])
def test_whole_numbers(number: int, wanted: bytes) -> None:
    assert varint(number) == wanted

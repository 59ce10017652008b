"""The span of a call as the author's code sees it: bounded, ended by the call alone, and masked."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

from sternpost.clock import SystemClock
from sternpost.errors import Conflict
from sternpost.otel.author import ATTRIBUTES_MAX, EVENTS_MAX, VALUE_CHARACTERS_MAX, CallSpan
from sternpost.otel.spans import Spans
from sternpost.protocols.http.observed import HttpObservation
from sternpost.telemetry.log import Log
from sternpost.telemetry.observation import Unobserved

CONTEXT = SpanContext(0x4BF92F3577B34DA6A3CE929D0E0E4736, 7, is_remote=False, trace_flags=TraceFlags(1))


def made(own: CallSpan, status: int = 200) -> Any:
    """The span of a call in which the author's code has written into this one."""
    clock = SystemClock()
    log = Log("test", clock, sensitive=frozenset({"card"}), write=lambda line: None)
    spans = Spans(clock, Resource({}), InstrumentationScope("test"), log.masked, lambda path: "/api/v1/books/{id}")
    observation = HttpObservation(
        Unobserved(), "req_1", f"{CONTEXT.trace_id:032x}", f"{7:016x}", None, 1.0, "GET", "/x"
    )
    observation.status, observation.ended, observation.sampled, observation.own_span = status, 2.0, True, own
    (span,) = spans.of(observation)
    return span


def test_it_is_bounded() -> None:
    own = CallSpan(CONTEXT)
    for number in range(ATTRIBUTES_MAX + 10):
        own.set_attribute(f"a{number}", "x" * (VALUE_CHARACTERS_MAX + 1))
    for number in range(EVENTS_MAX + 10):
        own.add_event(f"e{number}")
    assert (len(own.attributes), len(own.events), own.left_out) == (ATTRIBUTES_MAX, EVENTS_MAX, 10)
    assert len(str(own.attributes["a20"])) == VALUE_CHARACTERS_MAX


def test_its_status_and_its_name_are_those_of_the_span() -> None:
    own = CallSpan(CONTEXT)
    assert own.is_recording()
    own.end()
    own.set_status(StatusCode.ERROR, "late")
    own.set_status(Status(StatusCode.UNSET))
    own.update_name("checkout")
    own.set_attributes({"http.route": "/mine", "card": "4111"})
    span = made(own)
    assert (span.name, span.status.status_code, span.status.description) == ("checkout", StatusCode.ERROR, "late")
    assert (span.attributes["http.route"], span.attributes["card"]) == ("/mine", "***")
    own.set_status(StatusCode.OK)
    own.set_status(StatusCode.ERROR)
    assert made(own, status=500).status.status_code is StatusCode.OK


def test_an_exception_loses_its_message_unless_it_speaks_of_code() -> None:
    own = CallSpan(CONTEXT)
    for error in (KeyError("4111"), RuntimeError("there is no loop"), Conflict("It is there already")):
        try:
            raise error
        except Exception as caught:
            own.record_exception(caught, {"card": "4111"})
    told = [event.attributes for event in made(own).events]
    assert [each["exception.type"] for each in told] == ["KeyError", "RuntimeError", "sternpost.errors.Conflict"]
    assert [each.get("exception.message") for each in told] == [None, "there is no loop", "It is there already"]
    assert all("test_author.py" in each["exception.stacktrace"] for each in told)
    assert "4111" not in str(told)

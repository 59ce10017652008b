"""Lines that repeat themselves within a second are counted: what is left out is told, and nothing new is hidden."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from sternpost.errors import Conflict, Unavailable
from sternpost.protocols.http.observed import HttpObservation
from sternpost.telemetry import sampling
from sternpost.telemetry.events import LibraryWarned, LimitOverrideSet, RequestsEnded
from sternpost.telemetry.log import Log
from sternpost.telemetry.telemetry import Telemetry


class Seconds:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = 100.25

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)

    def monotonic(self) -> float:
        return self.at


class Told:
    """A log that leaves lines out, and what it has written."""

    def __init__(self, most: int = 20) -> None:
        self.clock = Seconds()
        self.lines: list[Any] = []
        log = Log("test", self.clock, write=lambda line: self.lines.append(orjson.loads(line)), repeats_a_second=most)
        self.telemetry = Telemetry(log, self.clock)

    def fails(self, operation: str, error: Exception, times: int = 1) -> None:
        for number in range(times):
            call = HttpObservation(self.telemetry, f"req_{number}", "t", "s", None, 0.0, "GET", "/")
            call.operation = operation
            self.telemetry.failed(call, error)

    def taken(self) -> list[Any]:
        lines, self.lines = self.lines, []
        return lines


def test_the_first_lines_come_and_the_rest_is_one_line_at_the_end_of_the_second() -> None:
    told = Told()
    told.fails("things.read", Unavailable("Away"), 1000)
    assert [line["requestId"] for line in told.taken()] == [f"req_{number}" for number in range(20)]
    told.clock.at += 0.5
    told.fails("things.read", Unavailable("Away"), 7)
    assert told.taken() == []
    told.clock.at += 0.5
    told.fails("things.read", Unavailable("Away"))
    summary, first = told.taken()
    assert (summary["message"], summary["level"], summary["repeated"]) == ("Away", "error", 987)
    assert (summary["errorCode"], summary["operation"]) == ("UNAVAILABLE", "things.read")
    assert ("requestId" in summary, "stack" in summary, summary["traceId"]) == (False, False, None)
    assert (first["requestId"], "repeated" in first) == ("req_0", False)


def test_what_repeats_itself_hides_nothing_else() -> None:
    told = Told(2)
    told.fails("things.read", Unavailable("Away"), 50)
    told.fails("things.browse", Unavailable("Away"))
    told.fails("things.read", Conflict("No"))
    told.fails("things.read", KeyError("a bug"), 3)
    told.fails("things.read", ValueError("another bug"))
    told.telemetry.tell(LibraryWarned(logger="one", text="a"))
    told.telemetry.tell(RequestsEnded(in_flight=1))
    assert [(line.get("errorCode"), line.get("operation"), line["message"]) for line in told.taken()] == [
        ("UNAVAILABLE", "things.read", "Away"),
        ("UNAVAILABLE", "things.read", "Away"),
        ("UNAVAILABLE", "things.browse", "Away"),
        ("STATE_CONFLICT", "things.read", "No"),
        ("INTERNAL_ERROR", "things.read", "Unexpected KeyError"),
        ("INTERNAL_ERROR", "things.read", "Unexpected KeyError"),
        ("INTERNAL_ERROR", "things.read", "Unexpected ValueError"),
        (None, None, "A library reports a warning"),
        (None, None, "Requests in progress are ended"),
    ]


def test_the_end_tells_what_waits() -> None:
    told = Told(1)
    for number in range(5):
        told.telemetry.tell(LibraryWarned(logger="noisy", text=str(number)))
        told.telemetry.tell(LibraryWarned(logger="calm" if number == 3 else "noisy", text=str(number)))
    told.telemetry.flush()
    assert [(line["logger"], line.get("text"), line.get("repeated")) for line in told.taken()] == [
        ("noisy", "0", None),
        ("calm", "3", None),
        ("noisy", None, 8),
    ]
    told.telemetry.flush()
    assert told.taken() == []


async def test_the_second_ends_where_no_other_line_comes() -> None:
    told = Told(1)
    told.clock.at = 100.99
    ended = asyncio.Event()
    write = told.telemetry.log.write
    told.telemetry.log.write = lambda line: (write(line), ended.set() if b"repeated" in line else None)
    told.fails("things.read", Unavailable("Away"), 3)
    await asyncio.wait_for(ended.wait(), 5)
    assert [line.get("repeated") for line in told.taken()] == [None, 2]


def test_what_stands_for_itself_is_never_left_out() -> None:
    told = Told(1)
    change = LimitOverrideSet(limit="l", key={}, quantity=1, factor=None, expires="", reason="r", address=None)
    for _ in range(5):
        told.telemetry.tell(change)
        call = HttpObservation(told.telemetry, "r", "t", "s", None, 0.0, "GET", "/")
        call.status = 500
        told.telemetry.finished(call)
        call.logger().warning("The author's own")
    assert len(told.taken()) == 15


def test_zero_leaves_nothing_out() -> None:
    told = Told(0)
    told.fails("things.read", Unavailable("Away"), 100)
    assert len(told.taken()) == 100


def test_the_number_of_kinds_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "KINDS_MAX", 3)
    told = Told(2)
    for number in range(10):
        told.fails(f"things.{number}", Conflict("No"))
    told.fails("things.bug", KeyError("a bug"))
    told.telemetry.flush()
    told_of = [(line.get("operation"), line.get("repeated")) for line in told.taken()]
    assert told_of == [
        *((f"things.{number}", None) for number in range(5)),
        ("things.bug", None),
        (None, 5),
    ]

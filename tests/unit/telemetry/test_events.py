"""Each kind of event is told by the log and stands in the reference; an error is told once, with what caused it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import orjson
import pytest

from sternpost.clock import SystemClock
from sternpost.errors import Conflict, Unavailable
from sternpost.protocols.http.observed import HttpObservation
from sternpost.telemetry import events
from sternpost.telemetry.failures import told_as
from sternpost.telemetry.log import LEVELS, Log
from sternpost.telemetry.telemetry import Telemetry

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "events.md"
OF_THE_END = (
    events.ShuttingDown,
    events.Retiring,
    events.RequestsEnded,
    events.RequestsAborted,
    events.MountNotStopped,
    events.StopFunctionFailed,
    events.ProvidedNotTornDownAtStop,
    events.ApplicationGivenUp,
    events.Stopped,
    events.CutOff,
    events.EndingWorkerKilled,
    events.SupervisorStopping,
    events.SupervisorStopped,
)
VALUES: dict[str, Any] = {
    "str": "some text",
    "str | None": None,
    "int": 7,
    "int | None": None,
    "float | None": 1.5,
    "bool": True,
    "Sequence[str]": ["one", "two"],
    "Mapping[str, Any]": {"principal": "usr_1"},
    "BaseException": KeyError("s3cret"),
    "Denial": "forbidden",
}


def made(kind: type[events.Event]) -> events.Event:
    return kind(**{each.name: VALUES[str(each.type)] for each in dataclasses.fields(kind)})


def telemetry(lines: list[Any], **more: Any) -> Telemetry:
    clock = SystemClock()
    log = Log("test", clock, write=lambda line: lines.append(orjson.loads(line)), **more)
    return Telemetry(log, clock)


def a_call(sink: Telemetry) -> HttpObservation:
    observation = HttpObservation(sink, "req_1", "t" * 32, "s" * 16, None, 0.0, "GET", "/api/v1/things")
    observation.operation, observation.user_id = "things.browse", "usr_1"
    return observation


def all_kinds() -> list[type[events.Event]]:
    """Whatever derives from `Event`, found another way than by the module itself."""
    return [
        each
        for each in vars(events).values()
        if isinstance(each, type) and issubclass(each, events.Event) and each is not events.Event
    ]


@pytest.mark.parametrize("kind", all_kinds())
def test_each_kind_is_told_and_stands_in_the_reference(kind: type[events.Event]) -> None:
    lines: list[Any] = []
    sink = telemetry(lines)
    sink.tell(made(kind))
    a_call(sink).tell(made(kind))
    alone, within = lines
    assert (alone["level"], alone["message"], alone["traceId"]) == (kind.level, kind.message, None)
    own_id = getattr(made(kind), "request_id", "req_1")  # of what came of no call
    assert (within["requestId"], within["traceId"], within["userId"]) == (own_id, "t" * 32, "usr_1")
    for name, value in made(kind).members():
        if name == "error":
            assert (alone["causes"], "s3cret" in str(alone)) == (["builtins.KeyError"], False)
        else:
            assert alone[name] == value
            assert "_" not in name
        assert f"`{name}`" in REFERENCE.read_text(encoding="utf-8")
    assert f"| `{kind.message}` | {kind.level} |" in REFERENCE.read_text(encoding="utf-8")
    assert kind in events.kinds()


def test_nothing_of_the_end_is_an_error() -> None:
    assert [kind.__name__ for kind in OF_THE_END if LEVELS[kind.level] > LEVELS["warning"]] == []


def test_every_reader_is_told() -> None:
    class Keeps:
        def __init__(self) -> None:
            self.found: list[Any] = []

        def failed(self, observation: Any, error: BaseException) -> None:
            self.found.append(error)

        def finished(self, observation: Any) -> None:
            self.found.append(observation)

        def told(self, event: events.Event, observation: Any) -> None:
            self.found.append((event, observation))

    clock, keeps = SystemClock(), Keeps()
    sink = Telemetry(Log("test", clock, write=lambda line: None), clock, [keeps])
    event, call = events.Stopped(worker=None, pid=1), a_call(sink)
    sink.tell(event)
    call.tell(event)
    assert keeps.found == [(event, None), (event, call)]


def test_what_says_who_did_what_is_told_at_every_level() -> None:
    lines: list[Any] = []
    sink = telemetry(lines, level="error")
    sink.tell(made(events.LimitOverrideSet))
    sink.tell(made(events.RequestsEnded))
    assert [line["message"] for line in lines] == ["The override of a limit was set"]


# -- errors


def raised(*chain: BaseException) -> BaseException:
    """The last of several errors, each caused by the one before."""
    try:
        for number, error in enumerate(chain):
            try:
                raise error from (chain[number - 1] if number else None)
            except type(error):
                pass
        raise chain[-1]
    except type(chain[-1]) as error:
        return error


def test_an_error_line_says_which_call_and_what_caused_it() -> None:
    lines: list[Any] = []
    call = a_call(telemetry(lines))
    call.sink.failed(call, raised(OSError("s3cret"), RuntimeError("s3cret"), Unavailable("Away")))
    (line,) = lines
    assert (line["errorCode"], line["operation"], line["userId"]) == ("UNAVAILABLE", "things.browse", "usr_1")
    assert (line["traceId"], line["requestId"]) == ("t" * 32, "req_1")
    assert line["causes"] == [
        "sternpost.errors.Unavailable: Away",
        "builtins.RuntimeError",
        "builtins.OSError",
    ]
    assert line["stack"].count("in raised") >= 3
    assert line["stack"].count("builtins.OSError") == 1
    assert "s3cret" not in str(line)


def test_messages_are_told_that_speak_of_code_and_none_that_an_author_wrote() -> None:
    def python() -> None:
        len(5)  # type: ignore[arg-type]

    def ours() -> None:
        raise RuntimeError(Telemetry(None, None, [None]))  # type: ignore[arg-type]

    def authors() -> None:
        raise TypeError("s3cret")

    found: list[str] = []
    for function in (python, ours, authors):
        try:
            function()
        except Exception as error:
            found.append(told_as(error))
    assert found[0] == "builtins.TypeError: object of type 'int' has no len()"
    assert "has no attribute" in found[1]
    assert found[2] == "builtins.TypeError"


def test_a_stack_is_told_once_in_a_call() -> None:
    lines: list[Any] = []
    sink = telemetry(lines)
    call, other = a_call(sink), a_call(sink)
    other.request_id = "req_2"
    first = raised(KeyError("a"))
    call.sink.failed(call, first)
    second = raised(first, ValueError("b"))
    call.tell(events.FunctionAfterCommitFailed(function="f", error=second))
    call.sink.failed(call, second)
    other.sink.failed(other, second)
    told = [line["stack"].count("test_events.py") for line in lines]
    assert told[0] >= 1
    assert told[1] >= 1
    assert "builtins.KeyError (its stack is in an earlier line of this request)" in lines[1]["stack"]
    assert told[2] == 0
    assert [line["causes"] for line in lines[1:]] == [["builtins.ValueError", "builtins.KeyError"]] * 3
    assert told[3] > told[1], "it is another request's"


def test_what_the_author_logs_is_not_told_again_when_it_is_raised() -> None:
    lines: list[Any] = []
    call = a_call(telemetry(lines))
    try:
        try:
            raise ValueError("s3cret")
        except ValueError:
            call.logger().error("The author tells it", exc_info=True)
            raise
    except ValueError as error:
        call.sink.failed(call, error)
    assert "test_events.py" in lines[0]["stack"]
    assert "test_events.py" not in lines[1]["stack"]
    assert lines[1]["causes"] == ["builtins.ValueError"]


def test_the_caller_s_own_mistakes_have_no_stack_and_chains_are_bounded() -> None:
    lines: list[Any] = []
    call = a_call(telemetry(lines))
    call.sink.failed(call, raised(Conflict("No")))
    assert ("stack" in lines[0], "causes" in lines[0]) == (False, False)
    call.sink.failed(call, raised(*(ValueError(str(number)) for number in range(100))))
    assert len(lines[1]["causes"]) == 20


def test_an_error_that_takes_no_attribute_is_told_all_the_same() -> None:
    class Closed(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    lines: list[Any] = []
    call = a_call(telemetry(lines))
    error = raised(Closed())
    call.sink.failed(call, error)
    assert "in raised" in lines[0]["stack"]

"""The level of the log on the ops port: until when one holds, and what is refused."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest

from sternpost import Browse, Contract, Resource, Sternpost, field, public
from sternpost.app.ops import log as log_pages
from sternpost.app.ops.fleet import Alone
from sternpost.app.ops.log import LogPages
from sternpost.app.ops.pages import OpsRequest
from sternpost.app.ops.process import OpsProcess
from sternpost.errors import Invalid
from sternpost.settings import Settings
from sternpost.telemetry.events import RequestsEnded, Stopped
from sternpost.telemetry.log import Log
from sternpost.telemetry.telemetry import Telemetry
from sternpost.testing.clock import ManualClock

GOOD: dict[str, Any] = {"level": "error", "expires": 600, "reason": "a test"}


class Note(Resource, prefix="not"):
    text: str = field()

    browse = Browse(allow=public)


class Port:
    """The page, in a process that serves alone."""

    def __init__(self, *, setting: str = "info") -> None:
        self.clock = ManualClock()
        self.lines: list[Any] = []
        settings = Settings.model_validate({"env": "test", "log_level": setting})
        self.app = Sternpost(Contract("notes", resources=[Note]), settings=settings, clock=self.clock)
        log = Log(
            "notes",
            self.clock,
            level=settings.log_level,
            write=lambda line: self.lines.append(orjson.loads(line)),
            override=self.app.log_override,
        )
        self.telemetry = Telemetry(log, self.clock)
        self.process = OpsProcess(self.app)
        self.pages = LogPages(Alone(self.process.answer), self.telemetry, self.clock)

    async def ask(self, method: str, body: Any = None) -> Any:
        page = self.pages.pages()["/log"][method]
        return (await page(OpsRequest("127.0.0.9", "log", body))).data

    def messages(self) -> list[str]:
        self.telemetry.tell(Stopped(worker=None, pid=1))
        self.telemetry.tell(RequestsEnded(in_flight=1))
        found = [line["message"] for line in self.lines]
        self.lines.clear()
        return found


BOTH = ["Stopped", "Requests in progress are ended"]


async def test_a_level_holds_until_it_ends() -> None:
    port = Port()
    assert port.messages() == BOTH
    answer = await port.ask("PUT", GOOD)
    assert (answer["level"], answer["setting"], answer["processes"][0]["level"]) == ("error", "info", "error")
    assert port.messages() == ["The level of the log was changed"], "it says who did it, whatever the level is"
    port.clock.travel(seconds=599)
    assert port.messages() == []
    port.clock.travel(seconds=1)
    assert port.messages() == BOTH
    answer = await port.ask("GET")
    assert (answer["level"], answer["expires"], answer["processes"][0]["level"]) == ("info", None, "info")
    assert port.pages.held() is None


async def test_the_last_one_holds_and_may_be_ended() -> None:
    port = Port(setting="warning")
    await port.ask("PUT", GOOD)
    await port.ask("PUT", {**GOOD, "level": "debug", "expires": (port.clock.now() + timedelta(days=1)).isoformat()})
    port.lines.clear()
    assert port.messages() == BOTH
    assert (await port.ask("DELETE"))["level"] == "warning"
    assert [(line["to"], line["expires"], line["address"]) for line in port.lines] == [("warning", None, "127.0.0.9")]
    port.lines.clear()
    assert port.messages() == BOTH[1:]


async def test_the_end_of_a_level_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_pages, "LOOK_SECONDS", 0.01)
    port = Port(setting="error")
    await port.ask("PUT", {**GOOD, "level": "debug"})
    port.clock.travel(seconds=599)
    await port.ask("PUT", {**GOOD, "level": "debug"})
    port.clock.travel(seconds=600)
    async with asyncio.timeout(10):
        while len(port.lines) < 3:
            await asyncio.sleep(0.01)
    assert (await port.ask("DELETE"))["level"] == "error"
    changed, expired = "The level of the log was changed", "The level of the log that was set has expired"
    found = [(line["message"], line["level"], line["event"], line["to"]) for line in port.lines]
    assert found == [
        (changed, "warning", "log level", "debug"),
        (changed, "warning", "log level", "debug"),
        (expired, "warning", "log level", "error"),
    ]


async def test_nothing_is_told_where_nothing_was_set() -> None:
    port = Port()
    assert (await port.ask("DELETE"))["level"] == "info"
    assert port.lines == []
    await port.ask("PUT", GOOD)
    await port.ask("DELETE")
    await port.ask("DELETE")
    assert [line["message"] for line in port.lines] == ["The level of the log was changed"] * 2
    await port.ask("PUT", GOOD)
    port.clock.travel(seconds=600)
    port.lines.clear()
    await port.ask("DELETE")
    assert [line["message"] for line in port.lines] == ["The level of the log that was set has expired"]


async def test_a_process_that_begins_to_serve_is_told_what_holds() -> None:
    port, other = Port(), Port()
    await port.ask("PUT", GOOD)
    other.process.answer({"do": "replay", "overrides": [], "log": port.pages.held()})
    assert other.messages() == []
    other.process.answer({"do": "replay", "overrides": [], "log": None})
    assert other.messages() == BOTH
    other.process.answer({"do": "replay", "overrides": []})
    assert other.messages() == BOTH, "a port of an older release says nothing of it"


@pytest.mark.parametrize(
    ("wrong", "paths"),
    [
        ([], [""]),
        ({}, ["expires", "level", "reason"]),
        ({**GOOD, "level": "loud"}, ["level"]),
        ({**GOOD, "level": ["info"]}, ["level"]),
        ({**GOOD, "expires": 0}, ["expires"]),
        ({**GOOD, "expires": 31 * 86_400}, ["expires"]),
        ({**GOOD, "expires": True}, ["expires"]),
        ({**GOOD, "expires": "2026-01-01"}, ["expires"]),
        ({**GOOD, "reason": "  "}, ["reason"]),
        ({**GOOD, "reason": "x" * 501}, ["reason"]),
        ({**GOOD, "more": 1}, ["more"]),
    ],
)
async def test_what_is_refused_changes_nothing(wrong: Any, paths: list[str]) -> None:
    port = Port()
    with pytest.raises(Invalid) as refused:
        await port.ask("PUT", wrong)
    assert sorted(detail.path for detail in refused.value.details) == paths
    assert port.messages() == BOTH

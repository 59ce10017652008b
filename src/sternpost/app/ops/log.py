"""The level of the log on the ops port: which holds in each process, and another one for a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sternpost.app.frames import Message
from sternpost.app.ops.bodies import members, reason_problems, unknown, until
from sternpost.app.ops.fleet import Answered, Fleet
from sternpost.app.ops.pages import OpsAnswer, OpsRequest, Pages
from sternpost.clock import Clock
from sternpost.errors import Detail, Invalid
from sternpost.telemetry.events import Level, LogLevelChanged, LogLevelExpired
from sternpost.telemetry.level import LEVELS
from sternpost.telemetry.telemetry import Telemetry

MEMBERS = ("level", "expires", "reason")

LOOK_SECONDS = 1.0
"""How often it is looked whether a level that was set has expired: by the clock, which may be set meanwhile."""


class LogPages:
    """The page of the log. A level that was set is kept here, in memory: it ends with the service.

    Args:
        fleet: the processes that serve.
        telemetry: of this process, whose level changes along.
    """

    def __init__(self, fleet: Fleet, telemetry: Telemetry, clock: Clock) -> None:
        self._fleet = fleet
        self._telemetry = telemetry
        self._log = telemetry.log
        self._clock = clock
        self._expires: datetime | None = None
        """When the level ends that was set; None where none is."""
        self._looking: asyncio.TimerHandle | None = None

    def pages(self) -> Pages:
        """By path and method."""
        return {"/log": {"GET": self.level, "PUT": self.put, "DELETE": self.delete}}

    def held(self) -> Mapping[str, Any] | None:
        """The level that was set and holds, for processes that serve; None where the setting holds."""
        level, ends = self._log.level, self._log.override.until
        return None if ends is None else {"level": level, "expires": ends.timestamp()}

    async def level(self, request: OpsRequest) -> OpsAnswer:
        """The level in force, here and in each process."""
        return self._answer(await self._fleet.ask({"do": "log"}))

    async def put(self, request: OpsRequest) -> OpsAnswer:
        """Puts a level in force for a time."""
        level, expires, reason = self._read(request.body)
        self._log.override.set(level, expires)
        self._watch(expires)
        text = expires.isoformat(timespec="seconds")
        self._telemetry.tell(LogLevelChanged(to=level, expires=text, reason=reason, address=request.address))
        return self._answer(await self._fleet.ask(self._message()))

    async def delete(self, request: OpsRequest) -> OpsAnswer:
        """The setting holds again. Where it has held all the time, nothing changes."""
        self._look()
        if self._expires is not None:
            self.close()
            self._log.override.clear()
            changed = LogLevelChanged(to=self._log.level, expires=None, reason=None, address=request.address)
            self._telemetry.tell(changed)
        return self._answer(await self._fleet.ask(self._message()))

    def close(self) -> None:
        """Looks no more whether a level has expired."""
        self._expires = None
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _watch(self, expires: datetime) -> None:
        self.close()
        self._expires = expires
        self._looking = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        """Tells once that the level has expired. Each process finds so itself, and here it is told for all."""
        expires = self._expires
        if expires is None:
            return
        self.close()
        if self._clock.now() < expires:
            self._watch(expires)
        else:
            self._telemetry.tell(LogLevelExpired(to=self._log.level))

    def _message(self) -> Message:
        return {"do": "log level", "log": self.held()}

    def _answer(self, answers: Sequence[Answered]) -> OpsAnswer:
        processes = [{**each.as_json(), "level": _level_of(each.answer)} for each in answers]
        level = self._log.level  # one that has expired is forgotten by this
        held = {"level": level, "setting": self._log.setting, "expires": self._log.override.until}
        return OpsAnswer({**held, "processes": processes})

    def _read(self, body: Any) -> tuple[Level, Any, str]:
        """The level, its end and the reason that a body asks for. Raises `Invalid` with every problem."""
        sent = members(body, MEMBERS)
        expires = until(sent.get("expires"), self._clock.now())
        problems = [*unknown(sent, MEMBERS), *reason_problems(sent.get("reason"))]
        if not isinstance(sent.get("level"), str) or sent["level"] not in LEVELS:
            problems.append(Detail("level", "invalid", f"One of {', '.join(LEVELS)}"))
        if isinstance(expires, Detail):
            problems.append(expires)
        if problems:
            raise Invalid(details=problems)
        return cast("Level", sent["level"]), expires, sent["reason"]


def _level_of(answer: Any) -> str | None:
    """None for a process that does not answer, and for one of a release that knows no levels."""
    return cast("dict[str, str]", answer).get("level") if isinstance(answer, dict) else None

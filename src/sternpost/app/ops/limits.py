"""Limits on the ops port: which there are, and overrides of them for one caller and for a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from sternpost.app.ops.bodies import is_number, is_text, is_whole, members, reason_problems, unknown, until
from sternpost.app.ops.fleet import Answered, Fleet
from sternpost.app.ops.pages import ANY, OpsAnswer, OpsRequest, Pages
from sternpost.app.ops.process import QUANTITY_MAX
from sternpost.clock import Clock
from sternpost.errors import Conflict, Detail, Invalid, NotFound, Unavailable
from sternpost.telemetry.events import LimitOverrideDeleted, LimitOverrideSet
from sternpost.telemetry.telemetry import Telemetry

OVERRIDES_MAX = 1000
FACTOR_MAX = 1000
KEY_BYTES_MAX = 2000

MEMBERS = ("limit", "key", "quantity", "factor", "expires", "reason")


@dataclass(frozen=True, slots=True)
class Override:
    """What one caller may do of one limit, for a time.

    Attributes:
        id: of the limit and the caller.
        key: what the caller is counted by, by the parts of the limit.
        quantity: units in a period; None where a factor is given.
        since: from when on it holds.
        address: where whoever made it called from.
    """

    id: str
    limit: str
    key: Mapping[str, Any]
    quantity: int | None
    factor: float | None
    expires: datetime
    reason: str
    since: datetime
    address: str | None

    def as_json(self) -> Mapping[str, Any]:
        """For those who run the service."""
        what = {"factor": self.factor} if self.quantity is None else {"quantity": self.quantity}
        return {
            "id": self.id,
            "limit": self.limit,
            "key": self.key,
            **what,
            "expires": self.expires,
            "reason": self.reason,
            "since": self.since,
            "address": self.address,
        }

    def told(self) -> Mapping[str, Any]:
        """For processes that serve."""
        what = {"limit": self.limit, "key": self.key, "quantity": self.quantity, "factor": self.factor}
        return {**what, "expires": self.expires.timestamp()}


class LimitPages:
    """The pages of limits. Overrides are kept here, in memory: they end with the service.

    Args:
        fleet: the processes that count.
    """

    def __init__(self, fleet: Fleet, telemetry: Telemetry, clock: Clock) -> None:
        self._fleet = fleet
        self._telemetry = telemetry
        self._clock = clock
        self._overrides: dict[str, Override] = {}

    def pages(self) -> Pages:
        """By path and method."""
        return {
            "/limits": {"GET": self.limits},
            "/limits/overrides": {"GET": self.overrides, "PUT": self.put},
            f"/limits/overrides/{ANY}": {"DELETE": self.delete},
        }

    def held(self) -> Sequence[Mapping[str, Any]]:
        """The overrides that hold, for processes that serve."""
        return [override.told() for override in self._held()]

    async def limits(self, request: OpsRequest) -> OpsAnswer:
        """Every limit of every process: during a rolling restart, those of both releases."""
        answers = await self._fleet.ask({"do": "limits"})
        found = {limit["id"]: limit for each in answers if each.answer is not None for limit in each.answer}
        return OpsAnswer({"limits": list(found.values()), "processes": _processes(answers)})

    async def overrides(self, request: OpsRequest) -> OpsAnswer:
        """The overrides that hold."""
        return OpsAnswer({"overrides": [override.as_json() for override in self._held()]})

    async def put(self, request: OpsRequest) -> OpsAnswer:
        """Puts an override in force, in place of another one for the same limit and key."""
        wanted = _read(request.body, self._clock.now())
        name, wanted["key"] = await self._checked(wanted)
        if name not in self._overrides and len(self._held()) >= OVERRIDES_MAX:
            raise Conflict(f"There are {OVERRIDES_MAX} overrides already; delete some")
        override = Override(id=name, since=self._clock.now(), address=request.address, **wanted)
        self._overrides.pop(name, None)  # the last one that was set is the last one that a new worker is told
        self._overrides[name] = override
        self._audit(LimitOverrideSet, override, request)
        answers = await self._fleet.ask({"do": "override", "override": override.told()})
        return OpsAnswer({"override": override.as_json(), "processes": _processes(answers)})

    async def delete(self, request: OpsRequest) -> OpsAnswer:
        """Ends an override."""
        override = self._overrides.get(request.last)
        if override is None or override.expires <= self._clock.now():
            raise NotFound("There is no such override; GET /limits/overrides lists those that hold")
        del self._overrides[override.id]
        self._audit(LimitOverrideDeleted, override, request)
        answers = await self._fleet.ask({"do": "forget", "override": override.told()})
        return OpsAnswer({"override": override.as_json(), "processes": _processes(answers)})

    def _held(self) -> list[Override]:
        """Those that hold; what has expired is forgotten."""
        now = self._clock.now()
        for override in [each for each in self._overrides.values() if each.expires <= now]:
            del self._overrides[override.id]
        return list(self._overrides.values())

    async def _checked(self, wanted: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
        """The id, and the key in its one form, as the first process says that answers.

        Raises:
            Invalid: there is no such limit, it counts nobody by that key, or cannot count so much.
            Unavailable: no process answers.
        """
        asked = {name: wanted[name] for name in ("limit", "key", "quantity", "factor")}
        answers = await self._fleet.ask({"do": "check", "override": asked})
        said = next((each.answer for each in answers if each.answer), None)
        if said is None:
            raise Unavailable("No process of the service has answered")
        if "problem" in said:
            raise Invalid(details=[Detail(said["member"], "invalid", said["problem"])])
        return said["id"], said["key"]

    def _audit(self, kind: type[LimitOverrideSet], override: Override, request: OpsRequest) -> None:
        self._telemetry.tell(
            kind(
                limit=override.limit,
                key=override.key,
                quantity=override.quantity,
                factor=override.factor,
                expires=override.expires.isoformat(timespec="seconds"),
                reason=override.reason,
                address=request.address,
            )
        )


def _processes(answers: Sequence[Answered]) -> Sequence[Mapping[str, Any]]:
    return [each.as_json() for each in answers]


# -- what is sent


def _read(body: Any, now: datetime) -> dict[str, Any]:
    """The override that a body asks for. Raises `Invalid` with every problem."""
    sent = members(body, MEMBERS)
    problems = unknown(sent, MEMBERS)
    quantity, factor = sent.get("quantity"), sent.get("factor")
    if not is_text(sent.get("limit"), 200):
        problems.append(Detail("limit", "type", "The id of a limit; GET /limits lists them"))
    if not _fits(sent.get("key")):
        problems.append(Detail("key", "too_long", f"A key has at most {KEY_BYTES_MAX} bytes"))
    if (quantity is None) == (factor is None):
        problems.append(Detail("quantity", "missing", "Give either a quantity or a factor"))
    if quantity is not None and not (is_whole(quantity) and 0 <= quantity <= QUANTITY_MAX):
        problems.append(Detail("quantity", "range", f"A whole number from 0, for nothing, to {QUANTITY_MAX}"))
    if factor is not None and not (is_number(factor) and 0 <= factor <= FACTOR_MAX):
        problems.append(Detail("factor", "range", f"A number from 0, for nothing, to {FACTOR_MAX}"))
    expires = until(sent.get("expires"), now)
    if isinstance(expires, Detail):
        problems.append(expires)
    problems += reason_problems(sent.get("reason"))
    if problems:
        raise Invalid(details=problems)
    names = ("limit", "key", "reason")
    return {
        **{name: sent.get(name) for name in names},
        "quantity": quantity,
        "factor": None if factor is None else float(factor),
        "expires": expires,
    }


def _fits(key: object) -> bool:
    try:
        return len(orjson.dumps(key)) <= KEY_BYTES_MAX
    except TypeError:  # it is nested too deeply
        return False

"""Rate limits: one stage, which a call comes to at up to three moments, each as soon as what it looks at is known.

A limit by address or of the service is counted when a call arrives, one by what is known of the caller behind the
authentication, and one that looks at the input once that is valid. Limits of one moment are counted together or not at
all. Nothing is held meanwhile: no connection of the database, no lock.
"""

from __future__ import annotations

import asyncio
import math
import string
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, Protocol, cast

from sternpost import exact_json
from sternpost.clock import Clock
from sternpost.deadline import Deadline
from sternpost.errors import Detail, Invalid, RateLimited, Unavailable, Unprocessable
from sternpost.networks import limit_address
from sternpost.pipeline.call import Call, Quota, Step
from sternpost.pipeline.inputs import Input, Inputs
from sternpost.pipeline.overrides import LimitOverrides
from sternpost.plan.limits import LimitPlan, Whom, limit_id, period_text
from sternpost.plan.model import FieldPlan, OperationPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.taken import taken
from sternpost.ports.authenticator import NO_SCOPES, Principal
from sternpost.ports.limits import Charge, LimitStore, Rule, Verdict
from sternpost.telemetry.events import CallsUncounted, ShadowLimitWouldRefuse
from sternpost.telemetry.measured import Tally
from sternpost.telemetry.observation import Observation

UNCOUNTED_LINE_SECONDS = 1.0
"""How often it is logged, at most, that calls pass without being counted."""

COSTS_TOO_MUCH = "cost_exceeds_limit"
"""The code of a call that costs more than its limit ever lets pass at once: trying again does not help."""

REFERENCE = "$ref"

KEYS_KEPT = 10_000
"""Keys of callers that a limit remembers, as making one costs more than finding it."""

_SECOND = 1_000_000
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

Values = Mapping[str, Any]
NO_VALUES: Values = {}
Part = Callable[[str | None, Principal | None, Values], bytes]
"""What tells one caller from others: made of the address, the caller, and the input."""


class Passing(Protocol):
    """A call on its way, as far as limits look at it."""

    @property
    def call(self) -> Call: ...
    @property
    def principal(self) -> Principal | None: ...
    @property
    def values(self) -> dict[str, Any]: ...
    @property
    def observation(self) -> Observation: ...
    @property
    def deadline(self) -> Deadline: ...


# -- who is counted


def part_of(kind: bytes, text: str) -> bytes:
    """A part of a key: what it is, how long it is, and itself, so that no two lists of parts look alike."""
    encoded = text.encode("utf-8", "surrogatepass")
    return b"%b%d:%b" % (kind, len(encoded), encoded)


def _address(address: str | None, principal: Principal | None, values: Values) -> bytes:
    return b"-" if address is None else part_of(b"a", limit_address(address))


def _principal(address: str | None, principal: Principal | None, values: Values) -> bytes:
    return _address(address, None, values) if principal is None else part_of(b"p", principal.subject)


def _api_key(address: str | None, principal: Principal | None, values: Values) -> bytes:
    if principal is None or principal.api_key is None:
        return _principal(address, principal, values)
    return part_of(b"k", principal.api_key)


def _tenant(address: str | None, principal: Principal | None, values: Values) -> bytes:
    if principal is None or principal.tenant is None:
        return _principal(address, principal, values)
    return part_of(b"t", principal.tenant)


def _service(address: str | None, principal: Principal | None, values: Values) -> bytes:
    return b"*"


def _claim(name: str) -> Part:
    def part(address: str | None, principal: Principal | None, values: Values) -> bytes:
        found = None if principal is None else principal.claims.get(name)
        # its `repr` tells texts, numbers and lists apart
        return _principal(address, principal, values) if found is None else part_of(b"c", repr(found))

    return part


def _given(field: FieldPlan | RelationPlan) -> Part:
    """Callers who leave the value out are counted together, so that leaving it out is no way around the limit."""
    name = field.name

    def part(address: str | None, principal: Principal | None, values: Values) -> bytes:
        found = values.get(name)
        if isinstance(found, str):  # what compares it may ignore the case of letters, such as of an address of mail
            found = found.translate(_ASCII_LOWER)
        return part_of(b"g", repr(found))

    return part


_PARTS: dict[str, Part] = {
    "address": _address,
    "principal": _principal,
    "apiKey": _api_key,
    "tenant": _tenant,
    "service": _service,
}


def _part(whom: Whom, takes: Mapping[str, FieldPlan | RelationPlan]) -> Part:
    if whom.what == "claim":
        return _claim(whom.name)
    return _given(takes[whom.name]) if whom.what == "given" else _PARTS[whom.what]


# -- limits, bound


@dataclass(frozen=True, slots=True)
class Tier:
    """A limit for callers with one quantity.

    Attributes:
        holds: the most units that can pass at once.
        policy: the item of `RateLimit-Policy`, without the name.
        at_once: whether a call that passes never waits, and one that does not is refused.
    """

    rule: Rule
    holds: int
    policy: str
    at_once: bool


@dataclass(frozen=True, slots=True)
class BoundLimit:
    """A limit with all that counting needs.

    Attributes:
        id: in log lines and on the ops port, and as a part of each key.
        told: its name in answers.
        seed: the digest of what all keys of the limit begin with.
        parts: what tells callers apart, in the declared order.
        tiers: by the type and the value of the claim; None where the quantity is the same for all.
        with_quantity: the limit with another quantity.
    """

    plan: LimitPlan
    id: str
    told: str
    seed: Any
    parts: tuple[Part, ...]
    tier: Tier
    tiers: Mapping[tuple[type, object], Tier] | None
    cost_of: str | None
    with_quantity: Callable[[int], Tier]
    allowed: tuple[str, str]
    """What is counted where a call passes."""
    keys: dict[str, bytes] | None
    """Those of callers who are counted by themselves alone; None where that does not suffice."""

    def tier_of(self, principal: Principal | None) -> Tier:
        """The one that holds for a caller."""
        if self.tiers is None or principal is None:
            return self.tier
        found = principal.claims.get(str(self.plan.claim))
        return self.tiers.get((type(found), found), self.tier)

    def key(self, address: str | None, principal: Principal | None, values: Values) -> bytes:
        """16 bytes for whom a call is counted."""
        if self.keys is not None and principal is not None:
            known = self.keys.get(principal.subject)
            if known is not None:
                return known
        digest = self.seed.copy()
        digest.update(self.whom(address, principal, values))
        key: bytes = digest.digest()
        if self.keys is not None and principal is not None:
            if len(self.keys) >= KEYS_KEPT:
                self.keys.clear()
            self.keys[principal.subject] = key
        return key

    def whom(self, address: str | None, principal: Principal | None, values: Values) -> bytes:
        """What tells a caller from others, in the one form that it has."""
        return b"".join([part(address, principal, values) for part in self.parts])

    def cost(self, values: Values) -> int:
        """What a call costs; at least one unit, so that nothing is free."""
        if self.cost_of is None:
            return self.plan.cost
        found = values.get(self.cost_of)
        if isinstance(found, int):
            return max(found, 1)
        return max(len(found), 1) if isinstance(found, list | dict) else 1  # pyright: ignore[reportUnknownArgumentType]


class Due(NamedTuple):
    """What a call, or a step of a batch, has to pay to one limit."""

    limit: BoundLimit
    tier: Tier
    key: bytes
    cost: int

    @property
    def is_too_much(self) -> bool:
        """Whether the limit never lets so much pass."""
        return self.cost > self.tier.holds

    @property
    def is_blocked(self) -> bool:
        """Whether an override lets nothing pass."""
        return self.tier.rule.quantity == 0


def due_of(limits: Sequence[BoundLimit], address: str | None, principal: Principal | None, values: Values) -> list[Due]:
    """What a call has to pay to each of these limits."""
    return [
        Due(limit, limit.tier_of(principal), limit.key(address, principal, values), limit.cost(values))
        for limit in limits
    ]


@dataclass(frozen=True, slots=True)
class StepReader:
    """Reads what limits look at of a step of a batch, before the step is validated as a whole.

    Attributes:
        input: reads those members alone.
        members: their names in JSON.
        lists: lists that are only counted: names in JSON by names.
    """

    input: Input
    members: tuple[str, ...]
    lists: Mapping[str, str]

    def values_of(self, step: Step) -> Values:
        """The values as they will be once the step is validated. Raises `Invalid`."""
        body: dict[str, Any] = step.body or {}
        if body.keys() == {REFERENCE}:
            raise _unknown_yet("")
        sent = {name: body[name] for name in (*self.members, *self.lists.values()) if name in body}
        for name, value in sent.items():
            if isinstance(value, dict) and value.keys() == {REFERENCE}:  # pyright: ignore[reportUnknownMemberType]
                raise _unknown_yet(name)
        members = {name: sent[name] for name in self.members if name in sent}
        values, _ = self.input.parse(exact_json.dumps(members), NO_SCOPES)
        return values | {name: sent[public] for name, public in self.lists.items() if public in sent}


def _unknown_yet(path: str) -> Invalid:
    message = "This value decides a rate limit: send the value itself, not a reference to an earlier result"
    return Invalid(details=[Detail(path, "reference_in_limit", message)])


class BoundLimits:
    """The limits of one operation, by the moment at which they are counted.

    Args:
        own: those of the operation itself.
        throttles: those of the service.
        steps: reads steps; None where no limit looks at the input.

    Attributes:
        at_arrival, at_known, at_valid: those of each moment, so that a moment without any costs nothing.
    """

    def __init__(
        self, limiter: Limiter, own: Sequence[BoundLimit], throttles: Sequence[BoundLimit], steps: StepReader | None
    ) -> None:
        self._limiter = limiter
        every = (*throttles, *own)
        self.at_arrival = _at("arriving", every)
        self.at_known = _at("known", every)
        self.at_valid = _at("valid", every)
        named = [replace(limit, told=limit.id) for limit in own]  # in an answer to steps of several operations
        self._step_known = (*_at("arriving", named), *_at("known", named))
        self._step_valid = _at("valid", named)
        self._steps = steps

    def arrives(self, call: Call, observation: Observation, deadline: Deadline) -> Awaitable[None] | None:
        """Before the authentication; None where all of it is done."""
        return self._pass(self.at_arrival, call, None, NO_VALUES, observation, deadline)

    def is_known(self, run: Passing) -> Awaitable[None] | None:
        """Behind the authentication; None where all of it is done."""
        return self._pass(self.at_known, run.call, run.principal, NO_VALUES, run.observation, run.deadline)

    def is_valid(self, run: Passing) -> Awaitable[None] | None:
        """Behind the validation; None where all of it is done."""
        return self._pass(self.at_valid, run.call, run.principal, run.values, run.observation, run.deadline)

    def _pass(
        self,
        limits: Sequence[BoundLimit],
        call: Call,
        principal: Principal | None,
        values: Values,
        observation: Observation,
        deadline: Deadline,
    ) -> Awaitable[None] | None:
        limiter = self._limiter
        charged = limiter.takes_at_once(limits[0], call, principal, values) if len(limits) == 1 else None
        if charged is True:
            return None
        due = limiter.due_of(limits, call.address, principal, values)
        return limiter.take(due, call, observation, deadline, charged=charged)

    def of_step(
        self, step: Step, address: str | None, principal: Principal | None, defaults: Values, *, may: bool
    ) -> list[Due]:
        """What the operation costs as a step of a batch: what it costs alone, but for the service's own limits, which
        the batch has passed.

        Args:
            defaults: what the server fills in where the step leaves it out.
            may: whether the caller may do it at all; who may not does not use up what is counted by the input.

        Raises:
            Invalid: a value that decides a limit is wrong, or a reference to an earlier result, which nobody knows yet.
        """
        due = self._limiter.due_of(self._step_known, address, principal, NO_VALUES)
        if self._steps is not None and may:
            values = self._steps.values_of(step)
            filled = {name: value for name, value in defaults.items() if values.get(name) is None}
            due += self._limiter.due_of(self._step_valid, address, principal, {**values, **filled})
        return due


def _at(moment: str, limits: Sequence[BoundLimit]) -> tuple[BoundLimit, ...]:
    return tuple(limit for limit in limits if limit.plan.moment == moment)


# -- counting


class Limiter:
    """Counts calls in the store, and decides what becomes of them.

    Args:
        clock: for how often it is logged that nobody counts, and for when overrides end.
        overrides: for whom other quantities hold.
        pause: how a call waits for its turn; replaced in tests.
        decisions: where it is counted what each limit decides; None where nobody reads it.
    """

    def __init__(
        self,
        store: LimitStore,
        clock: Clock,
        overrides: LimitOverrides | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        decisions: Tally | None = None,
    ) -> None:
        self.store = store
        self._overrides = LimitOverrides() if overrides is None else overrides
        self._clock = clock
        self._pause = pause
        self._decisions = decisions
        self._counts_here = store.dependency is None
        """Whether the store is never away."""
        self._uncounted = 0
        self._next_line = -math.inf

    def due_of(
        self, limits: Sequence[BoundLimit], address: str | None, principal: Principal | None, values: Values
    ) -> list[Due]:
        """What a call has to pay to each of these limits, as overrides say."""
        due = due_of(limits, address, principal, values)
        return due if self._overrides.is_empty else [self._overridden(each) for each in due]

    def _overridden(self, due: Due) -> Due:
        override = self._overrides.of(due.key, self._clock.now())
        if override is None:
            return due
        return due._replace(tier=due.limit.with_quantity(override.of(due.tier.rule.quantity)))

    def takes_at_once(
        self, limit: BoundLimit, call: Call, principal: Principal | None, values: Values
    ) -> Literal[True] | Awaitable[Sequence[Verdict]] | None:
        """True where the call passes its only limit, and has paid it: most do, and have to wait for nothing. None where
        nothing was counted, and the verdict to come where the store could not tell at once: `take` says what becomes of
        the call."""
        tier = limit.tier if limit.tiers is None else limit.tier_of(principal)
        if not (self._counts_here and tier.at_once and self._overrides.is_empty):
            return None
        cost = limit.plan.cost if limit.cost_of is None else limit.cost(values)
        if cost > tier.holds:
            return None
        charged = self.store.charge((Charge(limit.key(call.address, principal, values), tier.rule, cost),))
        if not isinstance(charged, tuple | list):  # other processes count just now
            return cast("Awaitable[Sequence[Verdict]]", charged)
        verdict: Verdict = charged[0]
        if not verdict.allowed:
            return None
        if self._decisions is not None:
            self._decisions[limit.allowed] += 1
        quota = Quota(limit.told, tier.policy, verdict.remaining, -(-verdict.reset_us // _SECOND))
        if call.quotas is None:
            call.quotas = [quota]
        else:
            call.quotas.append(quota)
        return True

    async def take(
        self,
        due: Sequence[Due],
        call: Call,
        observation: Observation,
        deadline: Deadline,
        refusal: Callable[[Sequence[Refused]], RateLimited] | None = None,
        charged: Awaitable[Sequence[Verdict]] | None = None,
    ) -> None:
        """Counts what a call has to pay.

        Args:
            charged: what `takes_at_once` has begun.
            refusal: makes the error of limits that refuse it; by default that of a call that comes alone.

        Raises:
            RateLimited: a limit refuses it; none of these is counted.
            Unprocessable: it costs more than a limit ever lets pass at once.
            Unavailable: nobody can count, and a limit is declared to refuse then.
        """
        payable = due
        if too_expensive := [each for each in due if each.is_too_much]:
            payable = [each for each in due if not each.is_too_much]
            self._refuse_too_much(too_expensive, call, observation, refusal)
        verdicts = await self._charge(payable, observation, charged)
        if verdicts is None:
            return
        if self._decisions is not None:
            _count_verdicts(self._decisions, payable, verdicts)
        refused: list[Refused] = []
        quotas = call.quotas or []
        wait_us = 0
        for each, verdict in zip(payable, verdicts, strict=True):
            if each.limit.plan.shadow:
                if not verdict.allowed:
                    _log_shadow(each.limit, observation)
                continue
            quota = Quota(each.limit.told, each.tier.policy, max(verdict.remaining, 0), _seconds(verdict.reset_us))
            quotas.append(quota)
            if not verdict.allowed:
                refused.append(Refused(each, verdict))
            wait_us = max(wait_us, verdict.wait_us)
        call.quotas = quotas or None
        if refused:
            longest = max(refused, key=lambda one: one.verdict.retry_us)
            raise _told(rate_limited(longest) if refusal is None else refusal(refused), observation)
        if wait_us:
            await self._wait(wait_us, payable, observation, deadline)

    def _refuse_too_much(
        self,
        due: Sequence[Due],
        call: Call,
        observation: Observation,
        refusal: Callable[[Sequence[Refused]], RateLimited] | None,
    ) -> None:
        """Raises `Unprocessable`; and `RateLimited` where an override lets nothing pass, for as long as it holds."""
        refused: list[Refused] = []
        for each in due:
            self._count(each, "shadow_refused" if each.limit.plan.shadow else "refused")
            if each.limit.plan.shadow:
                _log_shadow(each.limit, observation)
            elif each.is_blocked:
                left_us = self._blocked_us(each.key)
                quota = Quota(each.limit.told, each.tier.policy, 0, _seconds(left_us))
                call.quotas = [quota] if call.quotas is None else [*call.quotas, quota]
                refused.append(Refused(each, Verdict(allowed=False, remaining=0, reset_us=left_us, retry_us=left_us)))
            else:
                raise too_much(each)
        if refused:
            observation.rate_limited = refused[0].due.limit.id
            raise rate_limited(refused[0]) if refusal is None else refusal(refused)

    def _blocked_us(self, key: bytes) -> int:
        now = self._clock.now()
        override = self._overrides.of(key, now)
        return 0 if override is None else (override.expires - now) // timedelta(microseconds=1)

    async def _charge(
        self, due: Sequence[Due], observation: Observation, charged: Awaitable[Sequence[Verdict]] | None = None
    ) -> Sequence[Verdict] | None:
        """The verdicts; None where nobody can count, and the call may pass all the same."""
        if not due:
            return ()
        try:
            found = charged or self.store.charge(
                [Charge(each.key, each.tier.rule, each.cost, each.limit.plan.shadow) for each in due]
            )
            if not isinstance(found, Awaitable):
                return found
            timings = observation.timings
            return await (
                found if timings is None else timings.of("limits", self.store.dependency or "", "charge", found)
            )
        except Unavailable as error:
            refusing = [
                each.limit.id for each in due if not (each.limit.plan.shadow or each.limit.plan.passes_uncounted)
            ]
            for each in due:
                self._count(each, "unavailable" if refusing else "uncounted")
            if refusing:
                raise Unavailable("Calls cannot be counted right now", log={"limit": refusing[0]}) from error
            self._log_uncounted(due, observation, error)
            return None

    def _count(self, due: Due, decision: str) -> None:
        if self._decisions is not None:
            self._decisions[due.limit.id, decision] += 1

    def _log_uncounted(self, due: Sequence[Due], observation: Observation, error: Exception) -> None:
        self._uncounted += 1
        now = self._clock.monotonic()
        if now < self._next_line:
            return
        self._next_line = now + UNCOUNTED_LINE_SECONDS
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        observation.tell(CallsUncounted(limit=due[0].limit.id, calls=self._uncounted, reason=reason))
        self._uncounted = 0

    async def _wait(self, wait_us: int, due: Sequence[Due], observation: Observation, deadline: Deadline) -> None:
        """Until it is the call's turn. One whose time ends before is refused at once, and not kept waiting for it."""
        seconds = wait_us / _SECOND
        if deadline.seconds is not None and seconds >= deadline.at - asyncio.get_running_loop().time():
            first = next(each for each in due if each.tier.rule.queues and not each.limit.plan.shadow)
            refused = Refused(first, Verdict(allowed=False, remaining=0, reset_us=0, retry_us=wait_us))
            raise _told(rate_limited(refused), observation)
        await self._pause(seconds)


def _count_verdicts(decisions: Tally, due: Sequence[Due], verdicts: Sequence[Verdict]) -> None:
    """Counts what each limit has decided by itself: one that allows a call may stand beside one that refuses it."""
    for each, verdict in zip(due, verdicts, strict=True):
        limit = each.limit
        decision = "allowed" if verdict.allowed else "shadow_refused" if limit.plan.shadow else "refused"
        decisions[limit.id, decision] += 1


def too_much(due: Due) -> Unprocessable:
    """The error of what costs more than a limit ever lets pass at once."""
    message = (
        f"This costs {due.cost}, and the limit {due.limit.told} never lets more than {due.tier.holds} pass at once"
    )
    return Unprocessable(message, details=[Detail("", COSTS_TOO_MUCH, message)], log={"limit": due.limit.id})


class Refused(NamedTuple):
    """A limit that refuses a call."""

    due: Due
    verdict: Verdict


def rate_limited(refused: Refused) -> RateLimited:
    """The error of a call that a limit refuses."""
    limit, rule = refused.due.limit, refused.due.tier.rule
    unit = "unit" if limit.cost_of is not None or limit.plan.cost != 1 else "call"
    much = f"{rule.quantity} {unit}{'' if rule.quantity == 1 else 's'}"
    message = f"The limit {limit.told} lets {much} pass per {period_text(rule.period_us)}"
    if 0 < rule.depth < rule.quantity:
        message += f", and at most {rule.depth} at once"
    return RateLimited(
        details=[Detail("", "rate_limited", message)],
        log={"limit": limit.id},
        retry_after_seconds=max(_seconds(refused.verdict.retry_us), 1),
    )


def _told(error: RateLimited, observation: Observation) -> RateLimited:
    """The same, once the log line of the request knows of it."""
    observation.rate_limited = error.log["limit"]
    return error


def _log_shadow(limit: BoundLimit, observation: Observation) -> None:
    observation.tell(ShadowLimitWouldRefuse(limit=limit.id))


def _seconds(us: int) -> int:
    """Whole seconds, rounded up: who waits so long has waited long enough."""
    return -(-us // _SECOND)


# -- binding


class LimitBinder:
    """Binds the limits of a plan.

    Args:
        plan: of one version of the API; the ids of its limits are those of every version.
    """

    def __init__(self, plan: Plan, limiter: Limiter, inputs: Inputs) -> None:
        self._limiter = limiter
        self._plan = plan
        self._inputs = inputs

    def bind(
        self, resource: ResourcePlan, operation: OperationPlan, reads: Input | None, seconds: float | None
    ) -> BoundLimits | None:
        """Those of an operation; None where it has none.

        Args:
            reads: its input.
            seconds: how long a call may take, and so wait for its turn.
        """
        takes = taken(resource, operation)
        own = [bound(limit, limit_id(operation.id, limit), limit.name, takes, seconds) for limit in self._of(operation)]
        throttles = [
            bound(limit, limit_id(None, limit), limit_id(None, limit), {}, seconds) for limit in self._plan.throttles
        ]
        steps_have_some = operation.kind == "batch" and bool(self._plan.every_limit)
        if not (own or throttles or steps_have_some):
            return None
        return BoundLimits(self._limiter, own, throttles, self._steps(resource, operation, own, takes, reads))

    def _steps(
        self,
        resource: ResourcePlan,
        operation: OperationPlan,
        own: Sequence[BoundLimit],
        takes: Mapping[str, FieldPlan | RelationPlan],
        reads: Input | None,
    ) -> StepReader | None:
        """What reads the values of steps that limits look at."""
        looked_at = [takes[name] for limit in own for name in limit.plan.input_names]
        if reads is None or not looked_at:
            return None
        counted = {each.name for each in looked_at if isinstance(each, RelationPlan) or each.structure is not None}
        read = frozenset(each.name for each in looked_at) - counted
        shape = reads.shape
        members = tuple(member.public_name for member in shape.members if member.name in read)
        lists = {each.name: each.public_name for each in (*shape.members, *shape.lists) if each.name in counted}
        return StepReader(self._inputs.part(reads, resource, operation, read), members, lists)

    def _of(self, operation: OperationPlan) -> tuple[LimitPlan, ...]:
        return self._plan.limits_of(operation)


def bound(
    limit: LimitPlan,
    id: str,
    told: str,
    takes: Mapping[str, FieldPlan | RelationPlan],
    seconds: float | None,
) -> BoundLimit:
    """A limit that is ready to be counted."""
    tiers: dict[tuple[type, object], Tier] = {
        (type(value), value): _tier(limit, quantity, seconds=seconds) for value, quantity in limit.tiers
    }
    return BoundLimit(
        plan=limit,
        id=id,
        told=told,
        seed=seed_of(id, limit),
        parts=tuple(_part(whom, takes) for whom in limit.by),
        tier=_tier(limit, limit.quantity, seconds=seconds),
        tiers=tiers or None,
        cost_of=None if limit.cost_of is None else takes[limit.cost_of].name,
        with_quantity=partial(_tier, limit, seconds=seconds),
        allowed=(id, "allowed"),
        keys={} if limit.by == (Whom("principal"),) else None,
    )


def seed_of(id: str, limit: LimitPlan) -> Any:
    """What all keys of a limit begin with. What is kept for one algorithm and period means nothing to another, so a
    limit that is declared anew begins anew; with another quantity it goes on."""
    what = part_of(b"l", id) + part_of(b"r", f"{limit.algorithm} {limit.period_us}")
    return blake2b(what, digest_size=16, person=b"sternpost limit")


def _tier(limit: LimitPlan, quantity: int, *, seconds: float | None) -> Tier:
    depth = limit.holds(quantity)
    if limit.queues and seconds is not None:  # nobody is put into a queue that is longer than the call may take
        depth = max(min(depth, int(seconds * _SECOND * quantity) // limit.period_us), limit.cost, 1)
    windows = limit.algorithm.endswith("window")
    rule = Rule(limit.algorithm, quantity, limit.period_us, 0 if windows else depth, limit.queues)
    holds = quantity if windows or quantity == 0 else depth
    at_once = not (limit.queues or limit.shadow)
    return Tier(rule, holds, f"q={quantity};w={_seconds(limit.period_us)}", at_once)

"""Rate limits: `limit=fixed_window(100, per="minute", by="principal")` on an operation; `limit=` and `throttle=` of the
contract."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

from sternpost.compile.caller_values import CLAIM, CLAIMS_OF_THEIR_OWN
from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.names import kebab, listed, matches
from sternpost.compile.options import Add, Shape, is_flag, is_whole, shown
from sternpost.contract.contract import Contract
from sternpost.contract.fields import UNSET
from sternpost.contract.limits import ByClaim, Given, Limit
from sternpost.contract.operations import Operation
from sternpost.contract.policy import Caller, CallerPath
from sternpost.kinds import KINDS, KindName
from sternpost.plan.limits import CountedBy, LimitPlan, Whom, period_text
from sternpost.plan.model import FieldPlan, ListOf, MapOf, OperationPlan, Plan, RelationPlan, ResourcePlan
from sternpost.plan.taken import taken
from sternpost.ports.limits import UNITS_MAX

QUANTITY_MAX = 1_000_000_000
"""Units of a limit: counters of 32 bits hold them."""

COST_MAX = 1_000_000
PERIOD_MAX = timedelta(days=366)
PERIOD_MIN = timedelta(milliseconds=1)
TIERS_MAX = 100
BY_MAX = 4
LIMITS_MAX = 8
"""Limits of one operation, and of the service: an answer tells each in its headers."""

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
NAME_MAX = 40
_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_BY: dict[str, CountedBy] = {
    "address": "address",
    "principal": "principal",
    "api_key": "apiKey",
    "tenant": "tenant",
    "service": "service",
}
_COUNTABLE: tuple[KindName, ...] = tuple(kind.name for kind in KINDS.values() if kind.from_claim is not None)
"""Kinds of values that can be counted by: of each value there is one form."""

_LIMIT = 'fixed_window(100, per="minute", by="principal")'


def _are_limits(value: object) -> bool:
    if isinstance(value, Limit):
        return True
    each = cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()
    return 0 < len(each) <= LIMITS_MAX and all(isinstance(one, Limit) for one in each)


def _limits_or(*others: object) -> Shape:
    return Shape(
        "SP701",
        f"a limit, or a list of 1 to {LIMITS_MAX} limits",
        _LIMIT,
        lambda value: any(value is other for other in others) or _are_limits(value),
    )


class Limits(Feature):
    """How often operations may be called, each by itself and all together."""

    operation_options = {"limit": _limits_or(None, UNSET)}  # noqa: RUF012  (a ClassVar of the base)
    contract_options = {"limit": _limits_or(None), "throttle": _limits_or(None)}  # noqa: RUF012
    codes = {  # noqa: RUF012
        "SP701": "limit or throttle is no limit",
        "SP702": "the quantity of a limit is wrong",
        "SP703": "the period of a limit is wrong",
        "SP704": "a limit is counted by something that cannot be counted by",
        "SP705": "the cost of a call is wrong, or not bounded",
        "SP706": "the depth of a bucket is wrong",
        "SP707": "an option of a limit has an unknown value",
        "SP708": "the name of a limit is malformed, or used twice",
        "SP709": "a bucket is too large to be counted exactly",
        "SP710": "a limit of the contract looks at the input of an operation",
    }

    def check_contract(self, contract: Contract, add: Add) -> None:
        for option in ("limit", "throttle"):
            declared = getattr(contract, option)
            for limit in _compiled(declared, option, add) if _are_limits(declared) else ():
                if limit.input_names:
                    add(
                        option,
                        "SP710",
                        f"{option} looks at {listed(limit.input_names)} of the input, which not every operation has",
                        "declare it on the operations that take it: limit=…",
                    )

    def operation(self, draft: ResourceDraft, name: str, declared: Operation, add: Add) -> Mapping[str, Any]:
        limit: Any = declared.limit
        return {} if limit is UNSET else {"limits": _compiled(limit, "limit", add)}

    def plan(self, contract: Contract, options: Mapping[str, Any]) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for option, attribute in (("limit", "limits"), ("throttle", "throttles")):
            if options.get(option) is not None:
                found[attribute] = _compiled(options[option], option, _silent)  # `check_contract` has reported
        return found


def _silent(option: str, code: str, message: str, fix: str) -> None:
    """Reports nothing."""


def _compiled(declared: Any, option: str, add: Add) -> tuple[LimitPlan, ...]:
    """The limits; what is wrong is reported, and left out."""
    given: tuple[Limit, ...] = () if declared is None else (declared,) if isinstance(declared, Limit) else (*declared,)
    made = [plan for limit in given if (plan := _Reading(limit, option, add).plan()) is not None]
    names: set[str] = set()
    found: list[LimitPlan] = []
    for plan in made:
        name, number = plan.name, 2
        own = any(limit.name == plan.name for limit in given)
        if name in names and own:
            add(option, "SP708", f"two limits have the name {shown(name)}", "give each a name of its own")
        while name in names:
            name, number = f"{plan.name}-{number}", number + 1
        names.add(name)
        found.append(replace(plan, name=name))
    return tuple(found)


class _Reading:
    """Reads one limit."""

    def __init__(self, limit: Limit, option: str, add: Add) -> None:
        self.limit = limit
        self.option = option
        self.add = add
        self.wrong = False

    def plan(self) -> LimitPlan | None:
        """What it compiles to; None where something is wrong, which is reported."""
        limit = self.limit
        period_us, by = self._period(), self._by()
        quantity, claim, tiers = self._quantity()
        depth = self._depth()
        cost, cost_of = self._cost()
        self._options()
        if self.wrong:
            return None
        plan = LimitPlan(
            name=limit.name or _derived(by, period_us),
            algorithm=limit.algorithm,
            quantity=quantity,
            period_us=period_us,
            by=by,
            claim=claim,
            tiers=tiers,
            depth=depth,
            queues=limit.queue,
            cost=cost,
            cost_of=cost_of,
            shadow=limit.mode == "shadow",
            passes_uncounted=limit.when_unavailable == "allow",
        )
        self._fits(plan)
        return None if self.wrong else plan

    def _report(self, code: str, message: str, fix: str) -> None:
        self.wrong = True
        self.add(self.option, code, message, fix)

    def _period(self) -> int:
        per: Any = self.limit.per
        length = None
        if isinstance(per, str):
            length = timedelta(seconds=_PERIODS[per]) if per in _PERIODS else None
        elif isinstance(per, timedelta):
            length = per
        elif is_whole(per) and 0 < per <= PERIOD_MAX.total_seconds():
            length = timedelta(seconds=per)
        if length is None or not PERIOD_MIN <= length <= PERIOD_MAX:
            self._report(
                "SP703",
                f"per={shown(per)} is no period from a millisecond to {PERIOD_MAX.days} days",
                f"write one of {listed(map(shown, _PERIODS))}, whole seconds, or a timedelta",
            )
            return 1
        return length // timedelta(microseconds=1)

    def _by(self) -> tuple[Whom, ...]:
        given: Any = self.limit.by
        parts: tuple[Any, ...] = (*cast("Sequence[Any]", given),) if isinstance(given, list | tuple) else (given,)
        by = tuple(whom for part in parts if (whom := self._whom(part)) is not None)
        if len(by) < len(parts):
            return by
        if not 0 < len(by) <= BY_MAX or len(set(by)) < len(by):
            self._report(
                "SP704", f"by={shown(self.limit.by)} is not 1 to {BY_MAX} different things", 'write by="principal"'
            )
        elif len(by) > 1 and Whom("service") in by:
            self._report(
                "SP704",
                'by="service" counts all callers together, and the other parts count them apart',
                'leave "service" out, or declare two limits',
            )
        return by

    def _whom(self, part: Any) -> Whom | None:
        match part:
            case str() if part in _BY:
                return Whom(_BY[part])
            case CallerPath(source="claim", name=name):
                return Whom("claim", name) if isinstance(name, str) and self._is_claim(name) else self._no_claim(name)
            case CallerPath(source="tenant" | "apiKey" as source):
                return Whom(source)
            case Given(name=name) if _is_text(name):
                return Whom("given", name)
            case _:
                fix = f'use {listed(map(shown, _BY))}, claim("…") or given("…"), or a tuple of several'
                instead = 'write by="principal"' if isinstance(part, Caller) else fix
                self._report("SP704", f"by={shown(part)} is nothing that calls can be counted by", instead)
                return None

    def _is_claim(self, name: object) -> bool:
        return matches(CLAIM, name) and name not in CLAIMS_OF_THEIR_OWN

    def _no_claim(self, name: object) -> None:
        if isinstance(name, str) and name in CLAIMS_OF_THEIR_OWN:
            why, fix = f"the claim {name} has a meaning of its own, or is different in each token", 'use "principal"'
        else:
            why, fix = f"{shown(name)} is not a claim", 'write the name of a claim of the token, such as "plan"'
        self._report("SP704", why, fix)

    def _quantity(self) -> tuple[int, str | None, tuple[tuple[str | int, int], ...]]:
        quantity: Any = self.limit.quantity
        if not isinstance(quantity, ByClaim):
            if not _is_amount(quantity, QUANTITY_MAX):
                self._wrong_quantity(quantity)
            return quantity, None, ()
        tiers: Any = quantity.quantities
        if not self._is_claim(quantity.claim):
            self._no_claim(quantity.claim)
        if not isinstance(tiers, Mapping) or not 0 < len(cast("Mapping[Any, Any]", tiers)) <= TIERS_MAX:
            self._report(
                "SP702",
                f"{shown(quantity)} does not name 1 to {TIERS_MAX} values of the claim",
                'write by_claim("plan", {"free": 60, "pro": 600}, default=60)',
            )
            return 1, None, ()
        found = cast("Mapping[Any, Any]", tiers)
        for amount in (*found.values(), quantity.default):
            if not _is_amount(amount, QUANTITY_MAX):
                self._wrong_quantity(amount)
        wrong = [value for value in found if not (isinstance(value, str) or is_whole(value))]
        if wrong:
            self._report(
                "SP702",
                f"{listed(map(shown, wrong))} is no value that a claim is compared with",
                "use texts, or whole numbers",
            )
        return quantity.default, quantity.claim, tuple(found.items())

    def _wrong_quantity(self, quantity: object) -> None:
        self._report(
            "SP702",
            f"the quantity {shown(quantity)} is not a whole number from 1 to {QUANTITY_MAX}",
            "write how many units pass in a period, or by_claim(…)",
        )

    def _depth(self) -> int | None:
        depth: Any = self.limit.depth
        if depth is None and self.limit.algorithm != "leaky_bucket":
            return None
        if not _is_amount(depth, QUANTITY_MAX):
            what = "burst" if self.limit.algorithm == "token_bucket" else "depth"
            self._report(
                "SP706",
                f"{what}={shown(depth)} is not a whole number from 1 to {QUANTITY_MAX}",
                "write how many units the bucket holds",
            )
        return depth

    def _cost(self) -> tuple[int, str | None]:
        cost: Any = self.limit.cost
        if isinstance(cost, Given) and _is_text(cost.name):
            return 1, cost.name
        if not _is_amount(cost, COST_MAX):
            self._report(
                "SP705",
                f"cost={shown(cost)} is not a whole number from 1 to {COST_MAX}, nor a value of the input",
                'write cost=5, or cost=given("items")',
            )
        return cast("int", cost), None

    def _options(self) -> None:
        limit = self.limit
        for option, allowed in (("mode", ("enforce", "shadow")), ("when_unavailable", ("allow", "refuse"))):
            if getattr(limit, option) not in allowed:
                self._report(
                    "SP707",
                    f"{option}={shown(getattr(limit, option))} is unknown",
                    f"write one of {listed(map(shown, allowed))}",
                )
        if not is_flag(limit.queue):
            self._report("SP707", f"queue={shown(limit.queue)} is not True or False", "write queue=True")
        if limit.name is not None and not (matches(_NAME, limit.name) and len(limit.name) <= NAME_MAX):
            self._report(
                "SP708",
                f"the name {shown(limit.name)} is malformed",
                f'use lower case, digits and dashes, and at most {NAME_MAX} characters, such as "per-minute"',
            )

    def _fits(self, plan: LimitPlan) -> None:
        held = min(map(plan.holds, plan.quantities))
        if plan.cost > held:
            self._report(
                "SP705",
                f"a call costs {plan.cost}, but the limit never lets more than {held} pass at once",
                "write a lower cost, or a larger quantity or depth",
            )
        if plan.algorithm.endswith("bucket"):
            most = max(*plan.quantities, plan.depth or 0)
            if most * plan.period_us > UNITS_MAX:
                self._report(
                    "SP709",
                    f"a bucket of {most} units per {period_text(plan.period_us)} cannot be counted exactly: at most "
                    f"{UNITS_MAX // plan.period_us} can",
                    "write the same rate over a shorter period, or use a window",
                )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_amount(value: object, most: int) -> bool:
    return is_whole(value) and 1 <= cast("int", value) <= most


def _derived(by: tuple[Whom, ...], period_us: int) -> str:
    """The name of a limit that has none of its own."""
    words = [_word(whom) for whom in by]
    period = period_text(period_us).replace(" seconds", "s").replace(" milliseconds", "ms").replace(" ", "-")
    name = "-".join([*words, period])
    return name if len(name) <= NAME_MAX and _NAME.fullmatch(name) else f"limit-{period}"


def _word(whom: Whom) -> str:
    if whom.what in ("claim", "given"):
        return re.sub(r"[^a-z0-9]+", "-", kebab(whom.name).lower()).strip("-")
    return {"apiKey": "api-key", "service": "all"}.get(whom.what, whom.what)


# -- what limits look at in inputs, once all inputs are known


def check_inputs(plan: Plan, drafts: Mapping[str, ResourceDraft], report: Report) -> None:
    """Reports limits that look at what their operation does not take, or that is nothing to count by."""
    for resource, operation in plan.operations.values():
        for limit in operation.limits or ():
            for code, message, fix in _mistakes(resource, operation, limit):
                where = drafts[resource.name].where(operation.name, "limit")
                report.add(where, code, f"{resource.name}.{operation.name}: {message}", fix)


def _mistakes(resource: ResourcePlan, operation: OperationPlan, limit: LimitPlan) -> Iterator[tuple[str, str, str]]:
    takes = taken(resource, operation)
    for name in limit.input_names:
        found = takes.get(name)
        code = "SP705" if name == limit.cost_of else "SP704"
        if found is None:
            fix = f"use one of {listed(takes)}" if takes else "leave it out: the operation takes no input"
            yield code, f"given({name!r}) is no value that the operation takes", fix
        elif name == limit.cost_of:
            yield from _cost_mistakes(found, name)
        elif not isinstance(found, FieldPlan) or found.structure is not None or found.kind not in _COUNTABLE:
            what = "a list" if isinstance(found, RelationPlan) else found.kind
            yield code, f"given({name!r}) is {what}, which cannot be counted by", f"use a field of {listed(_COUNTABLE)}"


def _cost_mistakes(found: FieldPlan | RelationPlan, name: str) -> Iterator[tuple[str, str, str]]:
    most = most_of(found)
    if most is None:
        yield (
            "SP705",
            f"cost=given({name!r}) is neither a list nor a whole number",
            "name a list, or a field of int with field(ge=1, le=…)",
        )
    elif most > COST_MAX:
        yield (
            "SP705",
            f"cost=given({name!r}) can be {most}, and a call costs at most {COST_MAX}",
            "declare field(le=…), or max_length=… of the list",
        )


def most_of(found: FieldPlan | RelationPlan) -> int | None:
    """The most that a value of an input can cost; None where it is nothing that costs."""
    if isinstance(found, RelationPlan):
        return found.max_items
    if isinstance(found.structure, ListOf | MapOf):
        return found.structure.max_items
    return cast("int", found.maximum) if KINDS[found.kind].declared_as is int else None

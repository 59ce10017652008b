"""Rate limits as a plan holds them: what is counted, for whom, and how that is told in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Algorithm = Literal["fixed_window", "sliding_window", "token_bucket", "leaky_bucket"]

CountedBy = Literal["address", "principal", "apiKey", "tenant", "service", "claim", "given"]

SERVICE = "service"
"""What stands in the ids of the service's own limits where those of an operation have its id, which has a dot."""


@dataclass(frozen=True, slots=True)
class Whom:
    """One part of what tells the counts of a limit apart.

    Attributes:
        name: of the claim, or of the value of the input; else empty.
    """

    what: CountedBy
    name: str = ""

    def __str__(self) -> str:
        if self.what == "claim":
            return f'claim("{self.name}")'
        return f"{self.name} of the input" if self.what == "given" else _WORDS[self.what]


_WORDS = {"address": "address", "principal": "principal", "apiKey": "API key", "tenant": "tenant", "service": "service"}


@dataclass(frozen=True, slots=True)
class LimitPlan:
    """How much of something passes in a time.

    Attributes:
        name: unique among the limits of an operation, or of the service.
        quantity: units in a period; for callers of no tier, where there are some.
        claim: the claim that decides the quantity; None where nothing does.
        tiers: for values of the claim, the quantity.
        depth: what a bucket holds; None for the quantity.
        queues: whether calls wait for their turn.
        cost: the units of a call.
        cost_of: the value of the input that decides the cost; None where nothing does.
        shadow: whether it refuses nobody.
        passes_uncounted: whether calls pass while nobody can count.
    """

    name: str
    algorithm: Algorithm
    quantity: int
    period_us: int
    by: tuple[Whom, ...]
    claim: str | None = None
    tiers: tuple[tuple[str | int, int], ...] = ()
    depth: int | None = None
    queues: bool = False
    cost: int = 1
    cost_of: str | None = None
    shadow: bool = False
    passes_uncounted: bool = True

    @property
    def quantities(self) -> tuple[int, ...]:
        """Every quantity that somebody may have."""
        return (self.quantity, *(quantity for _, quantity in self.tiers))

    @property
    def input_names(self) -> tuple[str, ...]:
        """The values of the input that it looks at."""
        found = [whom.name for whom in self.by if whom.what == "given"]
        return tuple(dict.fromkeys([*found, *([self.cost_of] if self.cost_of is not None else [])]))

    @property
    def claims(self) -> tuple[str, ...]:
        """The claims that it looks at."""
        found = [whom.name for whom in self.by if whom.what == "claim"]
        return tuple(dict.fromkeys([*found, *([self.claim] if self.claim is not None else [])]))

    @property
    def moment(self) -> Literal["arriving", "known", "valid"]:
        """As early as what it looks at is there: when a call arrives, once the caller is known, or the input valid."""
        if self.input_names:
            return "valid"
        only_address = all(whom.what in ("address", "service") for whom in self.by)
        return "arriving" if only_address and self.claim is None else "known"

    def holds(self, quantity: int) -> int:
        """The most units that can pass at once, for callers with this quantity."""
        return quantity if self.depth is None or self.algorithm.endswith("window") else self.depth


def limit_id(operation: str | None, limit: LimitPlan) -> str:
    """What a limit is called in log lines and on the ops port, such as `orders.pay/principal-minute`; the service's own
    (`operation` is None) `service/all-minute`. It is the same in all versions of the API, which so share its counts."""
    return f"{operation or SERVICE}/{limit.name}"


def describe_limit(limit: LimitPlan) -> str:
    """A limit in words."""
    quantity = str(limit.quantity)
    if limit.claim is not None:
        tiers = ", ".join(f"{amount} for {value}" for value, amount in limit.tiers)
        quantity = f'{quantity} ({tiers}, by claim("{limit.claim}"))'
    unit = "units" if limit.cost_of is not None or limit.cost != 1 else "calls"
    whom = "in all" if limit.by == (Whom("service"),) else f"for each {' and '.join(map(str, limit.by))}"
    said = [f"{quantity} {unit} per {period_text(limit.period_us)} {whom}", limit.algorithm.replace("_", " ")]
    if limit.depth is not None:
        said.append(f"{'burst' if limit.algorithm == 'token_bucket' else 'depth'} {limit.depth}")
    if limit.queues:
        said.append("calls wait for their turn")
    if limit.cost_of is not None:
        said.append(f"a call costs {limit.cost_of} of the input")
    elif limit.cost != 1:
        said.append(f"a call costs {limit.cost}")
    if not limit.passes_uncounted:
        said.append("refused while nobody can count")
    if limit.shadow:
        said.append("shadow: refuses nobody")
    return "; ".join(said)


def period_text(period_us: int) -> str:
    """A period in words: `minute`, `30 seconds`."""
    named = {1: "second", 60: "minute", 3600: "hour", 86_400: "day"}
    seconds, rest = divmod(period_us, 1_000_000)
    if rest:
        return f"{period_us // 1000} milliseconds" if period_us % 1000 == 0 else f"{period_us} microseconds"
    return named.get(seconds) or f"{seconds} seconds"


def limit_from_data(data: Any) -> LimitPlan:
    """A limit from its JSON form."""
    changed: dict[str, Any] = {
        "by": tuple(Whom(**whom) for whom in data["by"]),
        "tiers": tuple((value, amount) for value, amount in data["tiers"]),
    }
    return LimitPlan(**{**data, **changed})


def is_at_least(limit: LimitPlan, other: LimitPlan) -> bool:
    """Whether whatever passes the other one passes this one, too, as far as their forms tell."""
    if (limit.algorithm, limit.by, limit.cost_of, limit.claim, limit.queues) != (
        *(other.algorithm, other.by, other.cost_of, other.claim, other.queues),
    ):
        return False
    tiers, others = dict(limit.tiers), dict(other.tiers)
    pairs = [(tiers.get(value, limit.quantity), others.get(value, other.quantity)) for value in {*tiers, *others}]
    return (
        limit.period_us == other.period_us
        and all(mine >= its for mine, its in [(limit.quantity, other.quantity), *pairs])
        and limit.holds(limit.quantity) >= other.holds(other.quantity)
        and limit.cost <= other.cost
        and limit.passes_uncounted >= other.passes_uncounted
    )

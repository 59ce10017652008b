"""Rate limits: how often an operation may be called, counted for whom: `fixed_window(1000, per="day", by="tenant")`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sternpost.contract.policy import CallerPath

Period = Literal["second", "minute", "hour", "day"] | int | timedelta
"""A length of time: a word, whole seconds, or a `timedelta`."""


@dataclass(frozen=True, slots=True)
class Given:
    """A value of an operation's input; see `given`."""

    name: str

    def __repr__(self) -> str:
        return f"given({self.name!r})"


def given(name: str) -> Given:
    """A value of the input, which a limit counts by, or costs: `by=given("email")`, `cost=given("items")`.

    Args:
        name: a field, relation or list that the operation takes.
    """
    return Given(name)


@dataclass(frozen=True, slots=True)
class ByClaim:
    """A quantity that a claim decides; see `by_claim`."""

    claim: str
    quantities: Mapping[str | int, int]
    default: int

    def __repr__(self) -> str:
        return f"by_claim({self.claim!r}, …)"


def by_claim(claim: str, quantities: Mapping[str | int, int], *, default: int) -> ByClaim:
    """A quantity by a claim of the caller's token: `by_claim("plan", {"pro": 600}, default=60)`.

    Args:
        claim: the claim's name.
        quantities: the quantity for each value of it.
        default: the quantity for every other value, and for callers without the claim.
    """
    return ByClaim(claim, quantities, default)


Who = Literal["address", "principal", "api_key", "tenant", "service"] | CallerPath | Given
"""Whom a limit is counted for: `address`, the client's network address (of IPv6 the /64 network); `principal`, the
caller's id, and without a token the address; `api_key` and `tenant`, those of the caller, and without one as
`principal`; `service`, all callers together; `claim("…")`, a claim of the token, and without it as `principal`; or
`given("…")`, a value of the input."""

By = Who | tuple[Who, ...]
Quantity = int | ByClaim
Cost = int | Given
Mode = Literal["enforce", "shadow"]
WhenUnavailable = Literal["allow", "refuse"]


@dataclass(frozen=True, slots=True)
class Limit:
    """How much passes in a time; made by `fixed_window`, `sliding_window`, `token_bucket` and `leaky_bucket`.

    Attributes:
        quantity: units in a period, or `by_claim(…)`.
        per: the period: `second`, `minute`, `hour`, `day`, whole seconds, or a `timedelta`.
        by: whom it is counted for: `address` (of IPv6 the /64 network), `principal` (without a token the address),
            `api_key` or `tenant` (without one as `principal`), `service` (all together), `claim("…")` (without it as
            `principal`) or `given("…")`. Of a tuple of several, each combination has a count of its own.
        cost: the units of a call: a number, or a value of the input (of a list, how many items it has). At least 1.
        mode: `enforce`, or `shadow` for a limit that counts and logs, and refuses nobody.
        when_unavailable: what becomes of a call while nobody can count: `allow` lets it pass, `refuse` answers 503.
        name: told in headers and log lines; by default made of `by` and `per`.
        depth: what a bucket holds; None for the quantity.
        queue: whether a leaky bucket makes calls wait for their turn.
    """

    algorithm: Literal["fixed_window", "sliding_window", "token_bucket", "leaky_bucket"]
    quantity: Quantity
    per: Period
    by: By
    cost: Cost = 1
    mode: Mode = "enforce"
    when_unavailable: WhenUnavailable = "allow"
    name: str | None = None
    depth: int | None = None
    queue: bool = False

    def __repr__(self) -> str:
        return f"{self.algorithm}(…)"


def fixed_window(
    quantity: Quantity,
    *,
    per: Period,
    by: By,
    cost: Cost = 1,
    mode: Mode = "enforce",
    when_unavailable: WhenUnavailable = "allow",
    name: str | None = None,
) -> Limit:
    """So much in each window. Windows follow each other and are aligned to the Unix epoch: a day is a day in UTC.

    Around the end of a window up to twice the quantity may pass in a short time. The arguments are those of `Limit`.
    """
    return Limit("fixed_window", quantity, per, by, cost, mode, when_unavailable, name)


def sliding_window(
    quantity: Quantity,
    *,
    per: Period,
    by: By,
    cost: Cost = 1,
    mode: Mode = "enforce",
    when_unavailable: WhenUnavailable = "allow",
    name: str | None = None,
) -> Limit:
    """So much in any period of this length, wherever it begins. The period is divided into 10 parts, and a call counts
    until the part in which it came has left the period as a whole: for up to a tenth longer than the period.

    The arguments are those of `Limit`.
    """
    return Limit("sliding_window", quantity, per, by, cost, mode, when_unavailable, name)


def token_bucket(
    quantity: Quantity,
    *,
    per: Period,
    by: By,
    burst: int | None = None,
    cost: Cost = 1,
    mode: Mode = "enforce",
    when_unavailable: WhenUnavailable = "allow",
    name: str | None = None,
) -> Limit:
    """So much on average, and up to `burst` units at once after a pause.

    The other arguments are those of `Limit`.

    Args:
        burst: what the bucket holds; by default the quantity.
    """
    return Limit("token_bucket", quantity, per, by, cost, mode, when_unavailable, name, burst)


def leaky_bucket(
    quantity: Quantity,
    *,
    per: Period,
    by: By,
    depth: int,
    queue: bool = False,
    cost: Cost = 1,
    mode: Mode = "enforce",
    when_unavailable: WhenUnavailable = "allow",
    name: str | None = None,
) -> Limit:
    """A constant rate: what comes is collected in a bucket, which leaks so much in a period.

    The other arguments are those of `Limit`.

    Args:
        depth: what the bucket holds; a call that does not fit into it is refused.
        queue: whether each call waits until it leaks out, instead of passing at once.
    """
    return Limit("leaky_bucket", quantity, per, by, cost, mode, when_unavailable, name, depth, queue)

"""What rate limits ask of the place where calls are counted."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

Algorithm = Literal["fixed_window", "sliding_window", "token_bucket", "leaky_bucket"]

SUB_WINDOWS = 10
"""Into how many parts a sliding window divides its period. A call counts until the part in which it came has left the
period as a whole, so that no period of that length ever lets more than the quantity pass."""

UNITS_MAX = 2**53
"""What `quantity * period_us` and `depth * period_us` may be at most: Lua counts in doubles."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How much a limit lets pass.

    Attributes:
        quantity: units in a period; a call costs one unit where nothing else is declared.
        period_us: the period, in microseconds.
        depth: what a token bucket holds, and what a leaky bucket holds before it refuses; not used by windows.
        queues: whether a leaky bucket makes calls wait for their turn, instead of letting them through at once.
    """

    algorithm: Algorithm
    quantity: int
    period_us: int
    depth: int = 0
    queues: bool = False


class Charge(NamedTuple):
    """One limit that a call has to pass.

    Attributes:
        key: 16 bytes that stand for the limit and whom it is counted for.
        cost: the units of this call.
        shadow: whether it is counted only, and refuses nothing.
    """

    key: bytes
    rule: Rule
    cost: int
    shadow: bool = False


class Verdict(NamedTuple):
    """What a limit says of a call.

    Attributes:
        allowed: whether it passes this limit.
        remaining: units that are left now.
        reset_us: until all units are there again, if no further call comes.
        retry_us: until a call of this cost can pass; 0 where it passes, and where it never can: see `allowed`.
        wait_us: for how long the call has to wait before it goes on (a leaky bucket that queues).
    """

    allowed: bool
    remaining: int
    reset_us: int
    retry_us: int = 0
    wait_us: int = 0


class LimitStore(Protocol):
    """Where calls are counted."""

    @property
    def dependency(self) -> str | None:
        """What readiness calls it, where it may be away."""
        ...

    def charge(self, charges: Sequence[Charge]) -> Sequence[Verdict] | Awaitable[Sequence[Verdict]]:
        """A verdict for each charge, in order. Either all of them are counted, or none: a call that a limit refuses
        (one that is no shadow) costs nothing. A store within this process answers at once.

        A store bounds by itself how long it takes: from outside, a late answer and an event loop that was busy look
        alike, and a flooded service would pass what it should refuse.

        Raises:
            Unavailable: calls cannot be counted right now.
        """
        ...

    async def check(self) -> None:
        """Raises `Unavailable` while calls cannot be counted."""
        ...

    async def close(self) -> None:
        """Gives connections back."""
        ...

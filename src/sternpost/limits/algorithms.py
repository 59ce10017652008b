"""The four algorithms of rate limits, in whole numbers: a state, a time and a cost give the next state and a verdict.

This is their definition: every store counts by it, and the script for Redis is its translation, tested against it.
All times are microseconds since the Unix epoch on the clock of the store; nothing is ever rounded but what a verdict
says, and that always against the caller (a wait is never told too short).

A state is a tuple of whole numbers that starts with its time: when it was written (buckets), when its window began
(fixed window), the number of its sub-window (sliding window). `FRESH` stands for all that nobody has used yet.

A clock may be set back, and then a state is **from the future**. It is taken for one of the present: what was counted
stays counted, so that nobody gets more for it, and leaves as if it had come just now, so that nobody is refused for
longer than the period (a bucket: than it takes to drain). A clock that is set forward cannot be told from time that has
passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from sternpost.ports.limits import SUB_WINDOWS, UNITS_MAX, Algorithm, Charge, Rule, Verdict

State = tuple[int, ...]
"""(time, used) or, of a sliding window, (sub-window, calls in it, in the one before, … in the one `SUB_WINDOWS`
before)."""

COUNTERS = SUB_WINDOWS + 1
"""Of a sliding window: a period that ends within a sub-window began within one, which counts whole."""

FRESH: Mapping[Algorithm, State] = {
    "fixed_window": (0, 0),
    "sliding_window": (0,) * (1 + COUNTERS),
    "token_bucket": (0, 0),
    "leaky_bucket": (0, 0),
}

NEWER = tuple((0,) * moved for moved in range(COUNTERS + 1))
"""The counters of so many sub-windows that have begun since."""


Weighed = tuple[State, Verdict]
"""What comes of a call at one limit: the state to be kept in place of the one before, and what the caller is told. It
is the very same state where nothing is to be kept: a call that is refused is not counted. But a state from the future,
or one of a fuller bucket than there is, is put right by it."""


def fixed_window(rule: Rule, state: State, now_us: int, cost: int) -> Weighed:
    """`quantity` units in each window `[n * period_us, (n + 1) * period_us)` since the Unix epoch, so that a day is a
    day of UTC. Two windows that meet may let twice the quantity pass within one period.

    A state from the future counts in the present window.
    """
    began, used = state
    current = now_us - now_us % rule.period_us
    if began < current:
        used = 0
    left_us = current + rule.period_us - now_us
    after = used + cost
    if after <= rule.quantity or not cost:
        return (current, after), Verdict(True, max(rule.quantity - after, 0), left_us if after else 0)
    if began > current:
        state = (current, used)
    never = cost > rule.quantity
    return state, Verdict(False, max(rule.quantity - used, 0), left_us if used else 0, 0 if never else left_us)


def sliding_window(rule: Rule, state: State, now_us: int, cost: int) -> Weighed:
    """`quantity` units in the present sub-window and the `SUB_WINDOWS` before it, of which the oldest counts whole: no
    period ever sees more. A unit is there again between one period and eleven tenths of it later.

    Sub-window n is `[n * period_us / SUB_WINDOWS, (n + 1) * period_us / SUB_WINDOWS)` since the Unix epoch. (The
    approximation with two counters that weighs the window before, as in Cloudflare's "How we built rate limiting
    capable of scaling to millions of domains", 2017, needs less room, and may let more pass.)

    Of a state from the future, the newest counter is taken for that of the present sub-window.
    """
    index, counters = state[0], state[1:]
    current = now_us * SUB_WINDOWS // rule.period_us
    moved = current - index
    if moved > 0:
        counters = NEWER[COUNTERS] if moved >= COUNTERS else NEWER[moved] + counters[:-moved]
    used = sum(counters)
    after = used + cost
    if after <= rule.quantity or not cost:
        reset_us = _begins_us(rule, current + COUNTERS) - now_us if cost else _freed_us(rule, counters, used, now_us)
        return (current, counters[0] + cost, *counters[1:]), Verdict(True, max(rule.quantity - after, 0), reset_us)
    if moved < 0:
        state = (current, *counters)
    retry_us = 0 if cost > rule.quantity else _freed_us(rule, counters, after - rule.quantity, now_us)
    reset_us = _freed_us(rule, counters, used, now_us)
    return state, Verdict(False, max(rule.quantity - used, 0), reset_us, retry_us)


def _freed_us(rule: Rule, counters: State, units: int, now_us: int) -> int:
    """How long it takes until so many of the units that are counted have left."""
    if units <= 0:
        return 0
    age = COUNTERS
    while units > 0:
        age -= 1
        units -= counters[age]
    return _begins_us(rule, now_us * SUB_WINDOWS // rule.period_us - age + COUNTERS) - now_us


def _begins_us(rule: Rule, index: int) -> int:
    """The first microsecond of a sub-window."""
    return -(-index * rule.period_us // SUB_WINDOWS)


def bucket(rule: Rule, state: State, now_us: int, cost: int) -> Weighed:
    """Both buckets: they are one thing seen from its two sides (Turner, "New directions in communications", 1986; ITU-T
    I.371, Annex A).

    A **token bucket** of `depth` units is full at first, gets `quantity` units a period, continuously, and a call takes
    its cost out of it or is refused. What is kept is what is missing from it.

    A **leaky bucket** is empty at first, a call pours its cost in and is refused where the bucket would run over, and
    `quantity` units a period leak out, continuously. What is kept is what is in it. One that `queues` holds each call
    back until all that was in the bucket before it has leaked, so that what goes on from here is an even stream of
    `quantity` a period, whatever comes in; nobody waits for as long as `depth` units take.

    What is kept is counted in units / period_us, of which exactly `quantity` come or go in a microsecond: nothing is
    rounded, over any time.

    A state from the future is kept as it is, and drains from now on.
    """
    written, used = state
    quantity, period_us = rule.quantity, rule.period_us
    room = rule.depth * period_us
    if written < now_us:
        used = max(0, used - quantity * (now_us - written))
    # What is more than the bucket holds was used up under a wider limit, and stays so. No call has left `UNITS_MAX`.
    torn = state[1] > UNITS_MAX
    kept = min(used, room) if torn else used
    used = min(used, room)
    after = used + cost * period_us
    if after <= room or not cost:
        wait_us = -(-used // quantity) if rule.queues and quantity else 0
        reset_us = -(-after // quantity) if quantity else 0
        return (now_us, after), Verdict(True, (room - after) // period_us, reset_us, 0, wait_us)
    if written > now_us or torn:
        state = (now_us, kept)
    reset_us = -(-used // quantity) if quantity else 0
    never = cost > rule.depth or not quantity
    retry_us = 0 if never else -(-(after - room) // quantity)
    return state, Verdict(False, (room - used) // period_us, reset_us, retry_us)


WEIGH: Mapping[Algorithm, Callable[[Rule, State, int, int], Weighed]] = {
    "fixed_window": fixed_window,
    "sliding_window": sliding_window,
    "token_bucket": bucket,
    "leaky_bucket": bucket,
}


def horizon_us(rule: Rule) -> int:
    """How long a state may differ from a fresh one after the last call that was counted, at most."""
    if rule.algorithm == "fixed_window":
        return rule.period_us
    if rule.algorithm == "sliding_window":
        return rule.period_us + -(-rule.period_us // SUB_WINDOWS)
    return -(-rule.depth * rule.period_us // rule.quantity) if rule.quantity else rule.period_us


class Decision(NamedTuple):
    """What comes of a call at all its limits.

    Attributes:
        verdicts: for each charge, in order.
        changed: by key, the rule, the state to be kept, and how long from now on it differs from a fresh one.
    """

    verdicts: Sequence[Verdict]
    changed: Mapping[bytes, tuple[Rule, State, int]]


def decide(charges: Sequence[Charge], states: Mapping[bytes, State], now_us: int) -> Decision:
    """All limits of a call together: all count it, or none does.

    A limit that is charged more than once (two steps of a batch) has to pass the sum, and each charge is told what is
    left behind it. Where the call is refused, a limit that it would have passed tells what is left without it.

    Args:
        states: those that are kept, by key.
    """
    costs: dict[bytes, int] = {}
    changed: dict[bytes, tuple[Rule, State, int]] = {}
    put_right: dict[bytes, tuple[Rule, State, int]] = {}
    verdicts: list[Verdict] = []
    refused = False
    for key, rule, cost, shadow in charges:
        before = states.get(key) or FRESH[rule.algorithm]
        total = costs.get(key, 0) + cost
        state, verdict = WEIGH[rule.algorithm](rule, before, now_us, total)
        verdicts.append(verdict)
        if verdict.allowed:
            costs[key] = total
            changed[key] = (rule, state, verdict.reset_us)
        else:
            refused = refused or not shadow
            if state is not before:
                put_right[key] = (rule, state, verdict.reset_us)
    if refused:
        return Decision([_uncounted(*each, states, now_us) for each in zip(charges, verdicts, strict=True)], put_right)
    return Decision(verdicts, {**put_right, **changed})


def _uncounted(charge: Charge, verdict: Verdict, states: Mapping[bytes, State], now_us: int) -> Verdict:
    """What a limit says to a call that another one refuses."""
    if not verdict.allowed:
        return verdict
    before = states.get(charge.key) or FRESH[charge.rule.algorithm]
    return WEIGH[charge.rule.algorithm](charge.rule, before, now_us, 0)[1]

"""Counts within this process: for a service of one process, and for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct

from sternpost.limits.algorithms import COUNTERS, FRESH, WEIGH, State, decide, horizon_us
from sternpost.ports.limits import Algorithm, Charge, Rule, Verdict

KEYS_MAX = 1_000_000
"""Of each algorithm and period, so many keys that were counted last are always kept, and at most twice as many."""

Packed = int | bytes

_COUNTERS = Struct(f"={1 + COUNTERS}Q")
_USED_BITS = 64
_USED = (1 << _USED_BITS) - 1


class _Shelf:
    """The states of one algorithm and period, in two generations.

    What is counted goes to the younger one. It becomes the older one after the time in which a state becomes a fresh
    one again by itself: all that is left in the older one by then is as good as fresh, and is dropped as a whole.
    Nothing is ever searched for what has expired, and no call pays for the removal of others.
    """

    __slots__ = ("began", "horizon_us", "old", "turns", "young")

    def __init__(self, now_us: int, lasts_us: int) -> None:
        self.young: dict[bytes, Packed] = {}
        self.old: dict[bytes, Packed] = {}
        self.horizon_us = lasts_us
        self.began = now_us
        self.turns = now_us + lasts_us

    def turn(self, now_us: int) -> None:
        """Begins a new generation."""
        if now_us >= self.turns + self.horizon_us:  # the younger one has expired as well
            self.young = {}
        self.old, self.young = self.young, {}
        self.began, self.turns = now_us, now_us + self.horizon_us

    def set_back(self, now_us: int) -> None:
        """The clock was set back: all that is kept stays as long as if it had been counted now."""
        self.began, self.turns = now_us, now_us + self.horizon_us

    def stretch(self, now_us: int, lasts_us: int) -> None:
        """A state may last longer from now on: a bucket is deeper, or drains more slowly."""
        if lasts_us > self.horizon_us:
            self.horizon_us = lasts_us
            self.turns = max(self.turns, now_us + lasts_us)


class ProcessStore:
    """Counts in this process. Answers at once, and is never away.

    Where more than `keys_max` keys of one algorithm and period are counted within the time that they matter, those that
    were not counted for the longest time are forgotten, as if nobody had used them. Who floods a service with keys so
    loosens the limits of callers who come seldom, but never those of the last `keys_max` callers.

    Args:
        now_us: the time, in microseconds since the Unix epoch.
        keys_max: see there.
    """

    dependency: None = None

    def __init__(self, now_us: Callable[[], int], keys_max: int = KEYS_MAX) -> None:
        self._now_us = now_us
        self._keys_max = keys_max
        self._shelves: dict[Algorithm, dict[int, _Shelf]] = {algorithm: {} for algorithm in FRESH}

    def __len__(self) -> int:
        """How many keys are kept."""
        return sum(len(each.young) + len(each.old) for shelves in self._shelves.values() for each in shelves.values())

    def charge(self, charges: Sequence[Charge]) -> Sequence[Verdict]:
        """See `LimitStore.charge`."""
        now_us = self._now_us()
        if len(charges) == 1:  # nearly always, so it is written out
            key, rule, cost, _ = charges[0]
            shelf = self._shelf(rule, now_us)
            packed = shelf.young.get(key)
            if packed is None and shelf.old:
                packed = shelf.old.get(key)
            if packed is None:
                before = FRESH[rule.algorithm]
            elif isinstance(packed, int):  # as `_unpacked`
                before = packed >> _USED_BITS, packed & _USED
            else:
                before = _COUNTERS.unpack(packed)
            state, verdict = WEIGH[rule.algorithm](rule, before, now_us, cost)
            if state is not before:
                if key in shelf.young and len(state) == 2:  # as `_keep`
                    shelf.young[key] = state[0] << _USED_BITS | state[1]
                else:
                    self._keep(shelf, key, state, now_us)
            return (verdict,)
        states: dict[bytes, State] = {}
        for charge in charges:
            shelf = self._shelf(charge.rule, now_us)
            packed = shelf.young.get(charge.key) or shelf.old.get(charge.key)
            if packed is not None:
                states[charge.key] = _unpacked(packed)
        verdicts, changed = decide(charges, states, now_us)
        for key, (rule, state, _) in changed.items():
            self._keep(self._shelf(rule, now_us), key, state, now_us)
        return verdicts

    async def check(self) -> None:
        """It is always there."""

    async def close(self) -> None:
        """Forgets everything."""
        for shelves in self._shelves.values():
            shelves.clear()

    def _shelf(self, rule: Rule, now_us: int) -> _Shelf:
        shelves = self._shelves[rule.algorithm]
        shelf = shelves.get(rule.period_us)
        if shelf is None:
            shelf = shelves[rule.period_us] = _Shelf(now_us, horizon_us(rule))
        elif rule.depth * rule.period_us > shelf.horizon_us * rule.quantity:
            shelf.stretch(now_us, horizon_us(rule))
        if now_us >= shelf.turns:
            shelf.turn(now_us)
        elif now_us < shelf.began:
            shelf.set_back(now_us)
        return shelf

    def _keep(self, shelf: _Shelf, key: bytes, state: State, now_us: int) -> None:
        if key not in shelf.young:
            if shelf.old:
                shelf.old.pop(key, None)
            if len(shelf.young) >= self._keys_max:
                shelf.turn(now_us)
        shelf.young[key] = _packed(state)


def _packed(state: State) -> Packed:
    """A state in as few bytes as there are: a tuple of two numbers takes three times as many."""
    if len(state) == 2:
        return state[0] << _USED_BITS | state[1]
    return _COUNTERS.pack(*state)


def _unpacked(packed: Packed) -> State:
    if isinstance(packed, int):
        return packed >> _USED_BITS, packed & (1 << _USED_BITS) - 1
    return _COUNTERS.unpack(packed)

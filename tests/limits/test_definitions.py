"""Each algorithm against its definition, written here a second time with fractions and lists, and no state."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sternpost.limits.algorithms import COUNTERS, FRESH, WEIGH, State, horizon_us
from sternpost.ports.limits import UNITS_MAX, Algorithm, Rule, Verdict
from tests.limits.stores import ALGORITHMS, NOW_US
from tests.support.rounds import drawing, rounds

PERIODS = (7, 10, 1000, 999_983, 1_000_000, 60_000_000)
every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


def rules(*algorithms: Algorithm) -> st.SearchStrategy[Rule]:
    return st.builds(
        Rule,
        st.sampled_from(algorithms),
        quantity=st.integers(1, 20),
        period_us=st.sampled_from(PERIODS),
        depth=st.integers(1, 20),
        queues=st.booleans() if algorithms == ("leaky_bucket",) else st.just(False),
    )


def capacity(rule: Rule) -> int:
    return rule.quantity if rule.algorithm.endswith("window") else rule.depth


def calls(limit: Rule) -> st.SearchStrategy[list[tuple[int, int]]]:
    """Gaps and costs: bursts, gaps as long as a unit takes, ones that meet the edges, and long ones."""
    period = limit.period_us
    gaps = st.one_of(
        st.just(0),
        st.integers(0, 2 * period // limit.quantity),
        st.sampled_from([period // 10, period - 1, period, period + 1, period * 11 // 10]),
        st.integers(0, 3 * period),
    )
    return st.lists(st.tuples(gaps, st.sampled_from([1, 1, 1, 2, 5, 21])), min_size=1, max_size=40)


class Counted:
    """What passed up to now, and what follows of it by the definitions."""

    def __init__(self, limit: Rule) -> None:
        self.limit = limit
        self.passed: list[tuple[int, int]] = []
        self.level, self.since = Fraction(0), 0
        self.free_at = Fraction(0)

    def takes(self, now: int, cost: int) -> tuple[bool, int]:
        """Whether a call passes, and how long it waits."""
        passes, wait = getattr(self, self.limit.algorithm)(now, cost)
        if passes:
            self.passed.append((now, cost))
        return passes, wait

    def fixed_window(self, now: int, cost: int) -> tuple[bool, int]:
        window = now // self.limit.period_us
        used = sum(units for at, units in self.passed if at // self.limit.period_us == window)
        return used + cost <= self.limit.quantity, 0

    def sliding_window(self, now: int, cost: int) -> tuple[bool, int]:
        part = Fraction(self.limit.period_us, 10)
        first = (floor(now / part) - 10) * part
        used = sum(units for at, units in self.passed if at >= first)
        return used + cost <= self.limit.quantity, 0

    def token_bucket(self, now: int, cost: int) -> tuple[bool, int]:
        rate = Fraction(self.limit.quantity, self.limit.period_us)
        tokens = Fraction(self.limit.depth)
        last = self.passed[0][0] if self.passed else now
        for at, units in self.passed:
            tokens = min(tokens + rate * (at - last), Fraction(self.limit.depth)) - units
            last = at
        tokens = min(tokens + rate * (now - last), Fraction(self.limit.depth))
        return tokens >= cost, 0

    def leaky_bucket(self, now: int, cost: int) -> tuple[bool, int]:
        """As a line in front of a server: each unit takes `period / quantity`, one after the other."""
        takes = Fraction(self.limit.period_us, self.limit.quantity)
        starts = max(Fraction(now), self.free_at)
        ends = starts + cost * takes
        if ends - now > self.limit.depth * takes:
            return False, 0
        self.free_at = ends
        return True, ceil(starts - now) if self.limit.queues else 0


@every_algorithm
@rounds(60, 3000)
def test_what_passes_is_what_the_definition_says(algorithm: Algorithm, rounds: int) -> None:
    @drawing(rounds)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        limit = data.draw(rules(algorithm))
        counted, state, now = Counted(limit), FRESH[algorithm], NOW_US + data.draw(st.integers(0, limit.period_us))
        for gap, cost in data.draw(calls(limit)):
            now += gap
            state, verdict = WEIGH[algorithm](limit, state, now, cost)
            assert (verdict.allowed, verdict.wait_us) == counted.takes(now, cost)

    check()


@rounds(60, 3000)
def test_no_period_sees_more_than_the_quantity_of_a_sliding_window(rounds: int) -> None:
    @drawing(rounds)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        limit = data.draw(rules("sliding_window"))
        passed: list[tuple[int, int]] = []
        state, now = FRESH["sliding_window"], NOW_US
        for gap, cost in data.draw(calls(limit)):
            now += gap
            state, verdict = WEIGH["sliding_window"](limit, state, now, cost)
            if verdict.allowed:
                passed.append((now, cost))
        for ends, _ in passed:
            assert sum(cost for at, cost in passed if ends - limit.period_us < at <= ends) <= limit.quantity

    check()


@rounds(60, 3000)
def test_what_a_queue_lets_go_on_is_an_even_stream(rounds: int) -> None:
    """Between two calls that go on there is at least the time that the first one takes of the rate."""

    @drawing(rounds)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        limit = data.draw(rules("leaky_bucket").filter(lambda drawn: drawn.queues))
        state, now, gone = FRESH["leaky_bucket"], NOW_US, list[tuple[int, int]]()
        for gap, cost in data.draw(calls(limit)):
            now += gap
            state, verdict = WEIGH["leaky_bucket"](limit, state, now, cost)
            if verdict.allowed:
                gone.append((now + verdict.wait_us, cost))
                # but for what is rounded up
                assert (verdict.wait_us - 1) * limit.quantity < limit.depth * limit.period_us
        for (first, cost), (second, _) in itertools.pairwise(gone):
            assert second - first > Fraction(cost * limit.period_us, limit.quantity) - 1, "but for what is rounded up"

    check()


@every_algorithm
@rounds(60, 3000)
def test_a_verdict_tells_the_truth(algorithm: Algorithm, rounds: int) -> None:
    """`remaining` passes and one more does not; at `retry_us` the call passes and not before; at `reset_us` everything
    is there and not before."""

    @drawing(rounds)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        limit = data.draw(rules(algorithm))
        state, now = FRESH[algorithm], NOW_US

        def told(at: int, cost: int) -> Verdict:
            return WEIGH[algorithm](limit, state, at, cost)[1]

        for gap, cost in data.draw(calls(limit)):
            now += gap
            state, verdict = WEIGH[algorithm](limit, state, now, cost)
            assert told(now, verdict.remaining).allowed
            assert not told(now, verdict.remaining + 1).allowed
            assert told(now + verdict.reset_us, 0).remaining == capacity(limit)
            if verdict.reset_us:
                assert told(now + verdict.reset_us - 1, 0).remaining < capacity(limit)
            if verdict.retry_us:
                assert told(now + verdict.retry_us, cost).allowed
                assert not told(now + verdict.retry_us - 1, cost).allowed
            assert verdict.allowed or verdict.retry_us or cost > capacity(limit)

    check()


def states(algorithm: Algorithm, limit: Rule) -> st.SearchStrategy[State]:
    """Such as may be found: of the past, of the future, and torn ones."""
    number = st.one_of(st.integers(0, 30), st.integers(0, 2**64 - 1))
    if algorithm == "sliding_window":
        index = NOW_US * 10 // limit.period_us
        times = st.one_of(st.integers(-15, 15).map(lambda moved: index + moved), number)
        return st.tuples(times, *[number] * COUNTERS)
    times = st.one_of(st.integers(-3 * limit.period_us, 3 * limit.period_us).map(lambda moved: NOW_US + moved), number)
    torn = st.integers(UNITS_MAX + 1, 2**64 - 1)  # what is less may have been left under a wider limit
    return st.tuples(times, st.one_of(torn, st.integers(0, limit.depth * limit.period_us)))


@every_algorithm
@rounds(100, 5000)
def test_no_state_locks_anybody_out_for_longer_than_it_may_last(algorithm: Algorithm, rounds: int) -> None:
    """Whatever the state, also one of an hour that is still to come, or of random numbers."""

    @drawing(rounds)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        limit = data.draw(rules(algorithm))
        found = data.draw(states(algorithm, limit))
        after, _ = WEIGH[algorithm](limit, found, NOW_US, data.draw(st.integers(0, 3)))
        later = NOW_US + horizon_us(limit)
        assert WEIGH[algorithm](limit, after, later, capacity(limit))[1].allowed

    check()


@every_algorithm
@rounds(60, 3000)
def test_a_clock_that_is_set_back_gives_nobody_more(algorithm: Algorithm, rounds: int) -> None:
    @drawing(rounds)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        limit = data.draw(rules(algorithm))
        state, now = FRESH[algorithm], NOW_US
        for gap, cost in data.draw(calls(limit)):
            now += gap
            state, _ = WEIGH[algorithm](limit, state, now, cost)
        left = WEIGH[algorithm](limit, state, now, 0)[1].remaining
        back = now - data.draw(st.one_of(st.integers(1, 3 * limit.period_us), st.just(3_600_000_000)))
        assert WEIGH[algorithm](limit, state, back, 0)[1].remaining <= left
        _, verdict = WEIGH[algorithm](limit, state, back, left + 1)
        assert not verdict.allowed
        assert verdict.retry_us <= horizon_us(limit)

    check()


@every_algorithm
def test_nothing_drifts(algorithm: Algorithm) -> None:
    """7 in 999,983 microseconds do not divide: what is rounded would add up."""
    limit = Rule(algorithm, 7, 999_983, 0 if algorithm.endswith("window") else 7)
    draw = random.Random(algorithm)
    state, now, passed = FRESH[algorithm], NOW_US, 0
    for _ in range(20_000):
        now += draw.randrange(40_000)  # three and a half times as many calls as may pass
        state, verdict = WEIGH[algorithm](limit, state, now, 1)
        passed += verdict.allowed
    most = Fraction(now - NOW_US, limit.period_us) * 7 + 2 * 7
    share = Fraction(10, 11) if algorithm == "sliding_window" else 1
    assert share * most * Fraction(98, 100) < passed <= most

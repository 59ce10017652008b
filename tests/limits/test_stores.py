"""What every store does, with periods in which nothing is there again."""

from __future__ import annotations

import pytest

from sternpost.ports.limits import UNITS_MAX, Algorithm, Charge, Verdict
from tests.limits.stores import AGES_US, ALGORITHMS, Counting, new_key, rule

pytestmark = pytest.mark.parametrize("algorithm", ALGORITHMS)


def allowed(verdicts: list[Verdict] | tuple[Verdict, ...]) -> list[bool]:
    return [verdict.allowed for verdict in verdicts]


async def test_it_lets_the_quantity_pass_and_not_one_more(store: Counting, algorithm: Algorithm) -> None:
    charge = Charge(new_key(), rule(algorithm, 5), 1)
    told = [(await store.charge(charge))[0] for _ in range(8)]
    assert [(each.allowed, each.remaining) for each in told] == [
        (True, 4),
        (True, 3),
        (True, 2),
        (True, 1),
        (True, 0),
        (False, 0),
        (False, 0),
        (False, 0),
    ]
    assert [each.retry_us > 0 for each in told] == [False] * 5 + [True] * 3
    assert all(each.reset_us > 0 for each in told)
    assert all(each.wait_us == 0 for each in told)


async def test_a_call_costs_what_it_costs(store: Counting, algorithm: Algorithm) -> None:
    key, limit = new_key(), rule(algorithm, 10)
    told = [(await store.charge(Charge(key, limit, cost)))[0] for cost in (4, 7, 6, 1)]
    assert [(each.allowed, each.remaining) for each in told] == [(True, 6), (False, 6), (True, 0), (False, 0)]


async def test_what_never_fits_is_told_by_no_time_to_try_again(store: Counting, algorithm: Algorithm) -> None:
    limit = rule(algorithm, 10)
    (verdict,) = await store.charge(Charge(new_key(), limit, 11))
    assert verdict == Verdict(False, 10, 0, 0)
    (verdict,) = await store.charge(Charge(new_key(), limit, UNITS_MAX))
    assert verdict == Verdict(False, 10, 0, 0)


async def test_a_call_that_costs_nothing_always_passes(store: Counting, algorithm: Algorithm) -> None:
    key, limit = new_key(), rule(algorithm, 1)
    told = [(await store.charge(Charge(key, limit, cost)))[0] for cost in (0, 1, 0)]
    assert [(each.allowed, each.remaining) for each in told] == [(True, 1), (True, 0), (True, 0)]
    assert told[0].reset_us == 0


async def test_a_quantity_of_nothing_lets_nothing_pass(store: Counting, algorithm: Algorithm) -> None:
    (verdict,) = await store.charge(Charge(new_key(), rule(algorithm, 0), 1))
    assert verdict == Verdict(False, 0, 0, 0)
    deep = rule(algorithm, 0) if algorithm.endswith("window") else rule(algorithm, 0, depth=2)
    key = new_key()
    told = [(await store.charge(Charge(key, deep, 1)))[0] for _ in range(3)]
    assert told[-1][:1] + told[-1][3:] == (False, 0, 0)


async def test_keys_have_counters_of_their_own(store: Counting, algorithm: Algorithm) -> None:
    limit = rule(algorithm, 1)
    keys = [new_key() for _ in range(50)]
    assert allowed([(await store.charge(Charge(key, limit, 1)))[0] for key in keys]) == [True] * 50
    assert allowed([(await store.charge(Charge(key, limit, 1)))[0] for key in keys]) == [False] * 50


async def test_a_call_that_one_limit_refuses_costs_none_of_the_others(store: Counting, algorithm: Algorithm) -> None:
    wide, narrow = Charge(new_key(), rule(algorithm, 10), 1), Charge(new_key(), rule("token_bucket", 1), 1)
    assert [each[:2] for each in await store.charge(wide, narrow)] == [(True, 9), (True, 0)]
    for order in ((wide, narrow), (narrow, wide)):
        told = dict(zip(order, await store.charge(*order), strict=True))
        assert told[wide][:2] == (True, 9), "what is left without the call"
        assert told[narrow][:2] == (False, 0)
    assert (await store.charge(wide))[0].remaining == 8


async def test_a_shadow_counts_and_refuses_nobody(store: Counting, algorithm: Algorithm) -> None:
    shadow, enforced = Charge(new_key(), rule(algorithm, 1), 1, True), Charge(new_key(), rule(algorithm, 3), 1)
    told = [await store.charge(shadow, enforced) for _ in range(4)]
    assert [each[0].allowed for each in told] == [True, False, False, False]
    assert [each[1].allowed for each in told] == [True, True, True, False]
    assert [each[1].remaining for each in told] == [2, 1, 0, 0]


async def test_charges_of_one_key_in_one_call_are_added_up(store: Counting, algorithm: Algorithm) -> None:
    key, limit = new_key(), rule(algorithm, 5)
    three = [Charge(key, limit, 2)] * 3
    told = await store.charge(*three)
    assert allowed(list(told)) == [True, True, False], "the third step is too much"
    assert told[2].retry_us == 0, "six never fit"
    assert (await store.charge(*three[:2]))[1].remaining == 1
    told = await store.charge(Charge(key, limit, 1), Charge(new_key(), limit, 1), Charge(key, limit, 1))
    assert allowed(list(told)) == [True, True, False]
    assert told[0].remaining == 1
    assert told[2].retry_us > 0
    shadows = [Charge(key, limit, 2, True), Charge(key, limit, 1, True)]
    assert allowed(list(await store.charge(*shadows))) == [False, True], "a shadow that is refused is not counted"


async def test_a_tighter_quantity_holds_at_once_and_a_wider_one_too(store: Counting, algorithm: Algorithm) -> None:
    key = new_key()
    assert (await store.charge(Charge(key, rule(algorithm, 10), 8)))[0].remaining == 2
    tight = rule(algorithm, 5)
    (verdict,) = await store.charge(Charge(key, tight, 1))
    assert (verdict.allowed, verdict.remaining) == (False, 0)
    (verdict,) = await store.charge(Charge(key, rule(algorithm, 20), 1))
    assert (verdict.allowed, verdict.remaining) == (True, 11)


async def test_another_algorithm_or_period_begins_anew(store: Counting, algorithm: Algorithm) -> None:
    key = new_key()
    await store.charge(Charge(key, rule(algorithm, 5), 5))
    assert (await store.charge(Charge(key, rule(algorithm, 5, AGES_US - 10), 1)))[0].remaining == 4
    other = ALGORITHMS[(ALGORITHMS.index(algorithm) + 1) % 4]
    assert (await store.charge(Charge(key, rule(other, 5), 1)))[0].remaining == 4


async def test_the_largest_numbers_are_exact(store: Counting, algorithm: Algorithm) -> None:
    most = UNITS_MAX // AGES_US
    key, limit = new_key(), rule(algorithm, most)
    told = [(await store.charge(Charge(key, limit, cost)))[0] for cost in (most - 1, 1, 1)]
    assert [(each.allowed, each.remaining) for each in told] == [(True, 1), (True, 0), (False, 0)]
    fast = rule(algorithm, UNITS_MAX // 1_000_000, 1_000_000)
    (verdict,) = await store.charge(Charge(new_key(), fast, fast.quantity))
    assert (verdict.allowed, verdict.remaining) == (True, 0)

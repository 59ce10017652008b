"""Each store against `algorithms.py`: the same charges at the same times get the same verdicts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from hypothesis import strategies as st

from sternpost.limits.algorithms import FRESH, WEIGH, State, decide
from sternpost.ports.limits import Algorithm, Charge, Rule, Verdict
from tests.limits.stores import AGES_US, ALGORITHMS, NOW_US, Counting, Held, Remote, new_key
from tests.limits.test_definitions import rules, states
from tests.support.redis import RedisServer
from tests.support.rounds import for_drawn, rounds

KEYS = [bytes([number]) * 16 for number in range(1, 6)]


class Model:
    """Keeps every state for ever."""

    def __init__(self) -> None:
        self.states: dict[bytes, State] = {}

    def charge(self, charges: list[Charge], now_us: int) -> list[Verdict]:
        verdicts, changed = decide(charges, self.states, now_us)
        self.states.update({key: state for key, (_, state, _) in changed.items()})
        return list(verdicts)


def limits() -> st.SearchStrategy[dict[bytes, Rule]]:
    """A rule for each key."""
    return st.fixed_dictionaries({key: st.one_of(rules(*ALGORITHMS), rules("leaky_bucket")) for key in KEYS})


def charges() -> st.SearchStrategy[list[tuple[int, int, bool]]]:
    """Key, cost, shadow."""
    one = st.tuples(st.integers(0, len(KEYS) - 1), st.sampled_from([0, 1, 1, 1, 2, 5, 21]), st.booleans())
    return st.lists(one, min_size=1, max_size=4)


GAPS_US = st.one_of(st.sampled_from([0, 1, 7, 100, 1000, 100_000]), st.integers(0, 200_000_000))
BACK_US = st.one_of(GAPS_US, st.sampled_from([-1, -1000, -3_600_000_000]))


@pytest.mark.parametrize("kind", ["process", "machine"])
@rounds(60, 3000)
async def test_a_store_of_this_machine_tells_what_the_algorithms_tell(kind: str, rounds: int) -> None:
    """After any time: nothing is forgotten that matters."""
    await for_drawn(
        rounds, told_alike(kind), limits(), st.lists(st.tuples(GAPS_US, charges()), min_size=1, max_size=30)
    )


@pytest.mark.parametrize("kind", ["process", "machine"])
@rounds(60, 3000)
async def test_a_clock_set_back_makes_no_store_of_this_machine_forget(kind: str, rounds: int) -> None:
    """But for what had expired before. Here nothing does."""
    ages = limits().map(lambda of: {key: replace(rule, period_us=AGES_US) for key, rule in of.items()})
    await for_drawn(rounds, told_alike(kind), ages, st.lists(st.tuples(BACK_US, charges()), min_size=1, max_size=30))


def told_alike(kind: str) -> Callable[..., Awaitable[None]]:
    """Runs calls at a store and at the model."""

    async def check(of: dict[bytes, Rule], calls: list[tuple[int, list[tuple[int, int, bool]]]]) -> None:
        store, model = Held(kind), Model()
        for gap, drawn in calls:
            store.now_us = max(store.now_us + gap, 1)
            call = [Charge(KEYS[key], of[KEYS[key]], cost, shadow) for key, cost, shadow in drawn]
            assert list(await store.charge(*call)) == model.charge(call, store.now_us)
        await store.close()

    return check


@rounds(40, 2000)
async def test_redis_tells_what_the_algorithms_tell(rounds: int, redis_server: RedisServer) -> None:
    """By the time that it counted by; periods are so short that much is there again from one call to the next."""
    store = Remote(redis_server.url)
    short = (7, 1000, 2000, 9_973)

    async def check(of: dict[bytes, Rule], calls: list[tuple[int, list[tuple[int, int, bool]]]]) -> None:
        model, key_of = Model(), {key: new_key() for key in KEYS}
        for pause, drawn in calls:
            call = [Charge(key_of[KEYS[key]], of[KEYS[key]], cost, shadow) for key, cost, shadow in drawn]
            if pause:
                await asyncio.sleep(pause / 1000)  # the periods are that short: this is what has to pass
            now_us, verdicts = await store.charge_at(*call)
            assert list(verdicts) == model.charge(call, now_us)

    quick = limits().map(
        lambda of: {
            key: Rule(rule.algorithm, rule.quantity, short[rule.period_us % 4], rule.depth, rule.queues)
            for key, rule in of.items()
        }
    )
    await for_drawn(rounds, check, quick, st.lists(st.tuples(st.integers(0, 2), charges()), min_size=1, max_size=20))
    await store.close()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@rounds(60, 3000)
async def test_redis_goes_on_from_any_state_as_the_algorithms_do(
    algorithm: Algorithm, rounds: int, redis_server: RedisServer
) -> None:
    """Of the past, and of a future that a clock set back leaves behind. Numbers are below 2^53, as the script's are."""
    store = Remote(redis_server.url)

    async def check(limit: Rule, drawn: State, cost: int) -> None:
        now_us, _ = await store.charge_at(Charge(new_key(), limit, 0))
        moved = now_us - NOW_US
        if algorithm == "sliding_window":
            moved = now_us * 10 // limit.period_us - NOW_US * 10 // limit.period_us
        state = (drawn[0] + moved, *drawn[1:]) if 0 < drawn[0] + moved < 2**53 else drawn
        if max(state) >= 2**49:
            return
        key = new_key()
        name = f"{store.store._prefix}{algorithm}:{limit.period_us}:{key.hex()}"
        redis_server.command("SET", name, " ".join(map(str, state)), "PX", "100000")
        now_us, (verdict,) = await store.charge_at(Charge(key, limit, cost))
        after, expected = WEIGH[algorithm](limit, state, now_us, cost)
        assert verdict == expected
        kept = redis_server.command("GET", name).split(b"\r\n")[1]
        assert tuple(map(int, kept.split())) == after

    limited = st.one_of(rules(algorithm), rules("leaky_bucket")) if algorithm == "leaky_bucket" else rules(algorithm)
    pairs = limited.flatmap(lambda limit: st.tuples(st.just(limit), states(algorithm, limit)))

    async def spread(pair: tuple[Rule, State], cost: int) -> None:
        await check(*pair, cost)

    await for_drawn(rounds, spread, pairs, st.sampled_from([0, 1, 2, 5, 21]))
    await store.close()


async def test_a_fresh_state_is_nothing_that_is_kept(store: Counting) -> None:
    """The model begins with `FRESH`, and so does each store."""
    for algorithm in ALGORITHMS:
        limit = Rule(algorithm, 3, 1_000_000, 0 if algorithm.endswith("window") else 3)
        now_us, (verdict,) = await store.charge_at(Charge(new_key(), limit, 1))
        assert verdict == WEIGH[algorithm](limit, FRESH[algorithm], now_us, 1)[1]

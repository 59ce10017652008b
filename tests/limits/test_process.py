"""The store of one process: how much memory it takes, and what it forgets."""

from __future__ import annotations

import secrets
import tracemalloc

import pytest

from sternpost.limits.process import ProcessStore
from sternpost.ports.limits import Algorithm, Charge
from tests.limits.stores import ALGORITHMS, NOW_US, new_key, rule

MINUTE_US = 60_000_000


class Moved:
    """A store with a clock that is moved."""

    def __init__(self, keys_max: int = 1_000_000) -> None:
        self.now_us = NOW_US
        self.store = ProcessStore(lambda: self.now_us, keys_max)

    def remaining(self, key: bytes, algorithm: Algorithm, cost: int = 1, quantity: int = 10) -> int:
        return self.store.charge([Charge(key, rule(algorithm, quantity, MINUTE_US), cost)])[0].remaining


@pytest.mark.parametrize("keys", [10_000, pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_caller_takes_little_memory(algorithm: Algorithm, keys: int) -> None:
    """Also one that is counted in the younger generation while the table of the older one is still there."""
    moved, most = Moved(), 400 if algorithm == "sliding_window" else 200
    callers = secrets.token_bytes(16 * keys)
    tracemalloc.start()
    try:
        for turn in range(2):
            for at in range(0, len(callers), 16):
                moved.remaining(callers[at : at + 16], algorithm, 999, quantity=100_000)
            used, _ = tracemalloc.get_traced_memory()
            assert len(moved.store) == keys
            assert used / keys <= most, f"{used / keys:.0f} bytes in turn {turn}"
            moved.now_us += MINUTE_US * 11 // 10
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_matters_no_more_is_dropped_as_a_whole(algorithm: Algorithm) -> None:
    moved = Moved()
    for _ in range(1000):
        moved.remaining(new_key(), algorithm)
    for _ in range(2):
        moved.now_us += 2 * MINUTE_US
        moved.remaining(new_key(), algorithm)
    assert len(moved.store) <= 2


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_last_callers_are_never_forgotten_and_no_more_than_twice_as_many_are_kept(algorithm: Algorithm) -> None:
    moved = Moved(keys_max=100)
    callers = [new_key() for _ in range(1000)]
    for caller in callers:
        assert moved.remaining(caller, algorithm) == 9
        assert len(moved.store) <= 200
    assert [moved.remaining(caller, algorithm) for caller in callers[-100:]] == [8] * 100
    assert moved.remaining(callers[0], algorithm, 0) == 10, "who has come long ago is as one who never came"


def test_a_deeper_bucket_is_kept_for_longer() -> None:
    """Limits of one period share a shelf, and one of them drains for an hour."""
    moved, deep = Moved(), rule("token_bucket", 1, MINUTE_US, depth=60)
    caller = new_key()
    moved.remaining(new_key(), "token_bucket")
    assert moved.store.charge([Charge(caller, deep, 60)])[0].remaining == 0
    for minute in range(1, 60):
        moved.now_us += MINUTE_US
        moved.remaining(new_key(), "token_bucket")
        assert moved.store.charge([Charge(caller, deep, 0)])[0].remaining == minute


def test_a_clock_set_back_drops_nothing() -> None:
    moved, caller = Moved(), new_key()
    moved.remaining(caller, "token_bucket", 10)
    moved.now_us += MINUTE_US // 2
    moved.remaining(new_key(), "token_bucket")
    moved.now_us -= 60 * MINUTE_US
    for _ in range(5):
        moved.remaining(new_key(), "token_bucket")
        assert moved.remaining(caller, "token_bucket", 1) == 0
    moved.now_us += MINUTE_US
    assert moved.remaining(caller, "token_bucket", 0) == 10, "and after its period everything is there again"


async def test_it_is_always_there() -> None:
    moved = Moved()
    moved.remaining(new_key(), "token_bucket")
    await moved.store.check()
    await moved.store.close()
    assert len(moved.store) == 0

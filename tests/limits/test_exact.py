"""Four processes with 200 parallel calls each, and a limit of 100: exactly 100 pass."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from sternpost.limits.machine import shared_memory
from tests.limits.processes import counters
from tests.limits.stores import ALGORITHMS, SHARED, new_key

PROCESSES = 4
CALLS = 200
QUANTITY = 100
TRIES_MAX = 40
"""How often it is tried, until processes count one limit at the same time: one is through in some milliseconds."""


@pytest.fixture(params=SHARED)
def where(request: pytest.FixtureRequest) -> Iterator[str | int]:
    """Each store that processes share."""
    if request.param == "redis":
        yield request.getfixturevalue("redis_server").url
        return
    descriptor = shared_memory(2**10)
    yield descriptor
    os.close(descriptor)


def test_exactly_the_quantity_passes(where: str | int) -> None:
    exact: set[str] = set()
    at_once = False
    for _ in range(TRIES_MAX):
        limits = [f"{algorithm}:{new_key().hex()}" for algorithm in ALGORITHMS for _ in range(3)]
        with counters(PROCESSES, where, "burst", QUANTITY, CALLS, *limits) as started:
            for each in started:
                each.tell()
            told = {limit: [each.line() for each in started] for limit in limits}
        passed = {limit: [int(each) for each in lines] for limit, lines in told.items() if "away" not in lines}
        assert {limit: sum(counts) for limit, counts in passed.items()} == dict.fromkeys(passed, QUANTITY)
        exact |= {limit.partition(":")[0] for limit in passed}
        at_once = at_once or any(max(counts) < QUANTITY for counts in passed.values())
        if at_once and exact == set(ALGORITHMS):
            return
    pytest.fail(f"only {exact} counted all calls, or the processes never counted at the same time: nothing is proved")

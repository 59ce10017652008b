"""How busy a process is: measured on the event loop and the collector of the test itself."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterable
from typing import cast

from sternpost.telemetry.measured import Histogram
from sternpost.telemetry.metric_names import BY_NAME, CPU, DESCRIPTORS, DESCRIPTORS_MAX, GC_RUNS, GC_SECONDS, MEMORY
from sternpost.telemetry.metrics import Reading
from sternpost.telemetry.process import LOOK_SECONDS, CollectorPauses, LoopLag, process_readings


def numbers(readings: Iterable[Reading]) -> dict[tuple[str, ...], float]:
    return {(name, *labels): cast("float", value) for name, labels, value in readings}


def lag_of(lag: LoopLag) -> Histogram:
    [(_, _, found)] = lag.read()
    return cast("Histogram", found)


async def looked(lag: LoopLag, times: int) -> None:
    async with asyncio.timeout(10):
        while lag_of(lag).count < times:
            await asyncio.sleep(0.01)


async def test_a_loop_that_is_held_up_is_late() -> None:
    lag = LoopLag()
    lag.start()
    try:
        await looked(lag, 1)
        before = lag_of(lag).sum
        time.sleep(LOOK_SECONDS + 0.2)  # the test holds its own loop up
        await looked(lag, 2)
        assert lag_of(lag).sum - before > 0.15
    finally:
        lag.stop()
    count = lag_of(lag).count
    await asyncio.sleep(LOOK_SECONDS * 1.5)  # nothing is to happen: there is no event to wait for
    assert lag_of(lag).count == count


def test_runs_of_the_collector_are_timed() -> None:
    pauses = CollectorPauses()
    pauses.start()
    try:
        cycles = [[] for _ in range(1000)]
        for cycle in cycles:
            cycle.append(cycle)
        del cycle, cycles
        gc.collect()
        found = numbers(pauses.read())
        assert found[GC_RUNS.name, "2"] == 1
        assert 0 < found[GC_SECONDS.name, "2"] < 10
    finally:
        pauses.stop()
    gc.collect()
    assert numbers(pauses.read())[GC_RUNS.name, "2"] == 1
    pauses.stop()


def test_a_process_tells_of_itself() -> None:
    before = numbers(process_readings())
    with open(__file__, encoding="utf-8"):
        during = numbers(process_readings())
    assert during[DESCRIPTORS.name,] == before[DESCRIPTORS.name,] + 1
    assert 1_000_000 < before[MEMORY.name,] < 10_000_000_000
    assert before[DESCRIPTORS.name,] < before[DESCRIPTORS_MAX.name,]
    assert 0 < before[CPU.name,] <= during[CPU.name,]
    assert {name for name, *_ in before} <= BY_NAME.keys()

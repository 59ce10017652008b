"""Latency at half load: requests come at random, half as many as the stack answered when it was asked for all it can."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks.databases import Database
from benchmarks.load import Job
from benchmarks.measure import generate, target_of
from benchmarks.rows import Size
from benchmarks.stacks import Server, Stack, serving

CONNECTIONS = 32
LOAD = 0.5


def measure_latency(
    stacks: Sequence[Stack],
    database: Database,
    size: Size,
    tokens: Sequence[str],
    workloads: Sequence[str],
    rounds: int,
    seconds: float,
    on_row: Callable[[dict[str, Any]], None],
) -> None:
    """Medians over the rounds of each stack and workload. Milliseconds, from when a request was due to its answer."""
    for stack in stacks:
        with serving(stack, database.fresh(stack.name)) as server:
            database.settle()
            for workload in workloads:
                on_row(row(server, workload, size, tokens, rounds, seconds))


def row(
    server: Server, workload: str, size: Size, tokens: Sequence[str], rounds: int, seconds: float
) -> dict[str, Any]:
    """One stack on one workload. The rate is found anew for each round: other programs may slow the machine."""
    taken: list[tuple[float, float, float, float]] = []
    for _ in range(rounds):
        warm = Job(target_of(server, tokens, size), workload, CONNECTIONS, max(seconds / 3, 0.5), seconds / 4)
        rate = generate(warm).per_second * LOAD
        paced = generate(
            Job(target_of(server, tokens, size), workload, CONNECTIONS, seconds, min(seconds / 4, 0.5), rate)
        )
        p50, _, p99, longest = (value * 1000 for value in paced.latencies)
        taken.append((rate, p50, p99, longest))
    rates, halves, tails, longest = zip(*taken, strict=True)
    return {
        "stack": server.stack.title,
        "workload": workload,
        "requests a second": round(median(rates)),
        "p50, ms": round(median(halves), 2),
        "p99, ms": round(median(tails), 2),
        "p99 / p50": round(median(tail / half for half, tail in zip(halves, tails, strict=True)), 1),
        "longest, ms": round(max(longest), 1),
    }

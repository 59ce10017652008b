"""One worker and two: `python -m benchmarks workers`.

The load generator, the database and the workers share the machine's cores. On a machine with two of them, two workers
cannot answer twice as much as one unless the others need next to nothing: how busy the machine was is shown beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from benchmarks.databases import Database
from benchmarks.load import Job, Result
from benchmarks.measure import generate, observed, target_of
from benchmarks.rows import Size
from benchmarks.stacks import Stack, serving

CONNECTIONS = 64


def measure_workers(
    stack: Stack,
    database: Database,
    size: Size,
    tokens: Sequence[str],
    workloads: Sequence[str],
    rounds: int,
    seconds: float,
    on_row: Callable[[dict[str, Any]], None],
) -> None:
    """Requests a second of two workers over one, turn by turn."""
    found: dict[str, list[tuple[Result, Result]]] = {workload: [] for workload in workloads}
    for _ in range(rounds):
        one, two = (_all(stack, database, size, tokens, workloads, seconds, workers) for workers in (1, 2))
        for workload in workloads:
            found[workload].append((one[workload], two[workload]))
    for workload, pairs in found.items():
        times = [two.per_second / one.per_second for one, two in pairs]
        on_row(
            {
                "workload": f"{workload}, {database.name}",
                "one, requests a second": round(median(one.per_second for one, _ in pairs)),
                "two, requests a second": round(median(two.per_second for _, two in pairs)),
                "two / one": f"{median(times):.2f}× ({min(times):.2f}–{max(times):.2f})",
                "cores busy with one": round(median(busy(one) for one, _ in pairs), 2),
                "cores busy with two": round(median(busy(two) for _, two in pairs), 2),
                "with other programs": round(median(two.others_cores for _, two in pairs), 2),
                "cores": os.cpu_count(),
            }
        )


def busy(result: Result) -> float:
    """How many cores the workers, the database and the generator used together."""
    return result.cpu_seconds["machine"] / result.seconds - result.others_cores


def _all(
    stack: Stack,
    database: Database,
    size: Size,
    tokens: Sequence[str],
    workloads: Sequence[str],
    seconds: float,
    workers: int,
) -> dict[str, Result]:
    with serving(stack, database.fresh(stack.name), workers=workers) as server:
        database.settle()
        return {
            workload: generate(
                Job(
                    target_of(server, tokens, size),
                    workload,
                    CONNECTIONS,
                    seconds,
                    min(1.0, seconds),
                    observe=observed(server, database),
                )
            )
            for workload in workloads
        }

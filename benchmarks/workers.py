"""One worker and two: `python -m benchmarks workers`.

The load generator, the database and the workers share the machine's cores. On a machine with two of them, two workers
cannot answer twice as much as one unless the others need next to nothing. So they are also measured with a fixed share of a
core for each worker, where control groups can be made: then there is room for everything else, as on a larger machine.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any

from benchmarks.cpu import cpu_seconds, processes, tree
from benchmarks.databases import Database
from benchmarks.load import Job, Result
from benchmarks.measure import generate, observed, target_of
from benchmarks.rows import Size
from benchmarks.shares import shared_out
from benchmarks.stacks import Server, Stack, serving

CONNECTIONS = 64
IDLE_SECONDS = 0.03
"""CPU that workers without requests use in half a second, and more."""

SHARE = 0.3
"""Of a core for each worker. Two of them, the generator and the database then fit into two cores."""


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
    found: dict[tuple[str, str], list[tuple[Result, Result]]] = {}
    for _ in range(rounds):
        for share in (SHARE, None):
            one, two = (_all(stack, database, size, tokens, workloads, seconds, workers, share) for workers in (1, 2))
            if one is None or two is None:
                continue
            each = "all there is" if share is None else f"{share:g} of a core"
            for workload in workloads:
                found.setdefault((workload, each), []).append((one[workload], two[workload]))
    for (workload, each), pairs in sorted(found.items()):
        times = [two.per_second / one.per_second for one, two in pairs]
        on_row(
            {
                "workload": f"{workload}, {database.name}",
                "for each worker": each,
                "one, requests a second": round(median(one.per_second for one, _ in pairs)),
                "two, requests a second": round(median(two.per_second for _, two in pairs)),
                "two / one": f"{median(times):.2f}× ({min(times):.2f}–{max(times):.2f})",
                "cores busy with one": round(median(busy(one) for one, _ in pairs), 2),
                "cores busy with two": round(median(busy(two) for _, two in pairs), 2),
                "with other programs": round(median(two.others_cores for _, two in pairs), 2),
                "cores": os.cpu_count(),
            }
        )


def await_all(server: Server) -> None:
    """Waits until no worker is starting any more: the first one answers while others still import."""
    used = -1.0
    while (now := cpu_seconds(server.pid)) - used > IDLE_SECONDS:
        used = now
        time.sleep(0.5)


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
    share: float | None,
) -> dict[str, Result] | None:
    """The results by workload; None where no share can be given."""
    with ExitStack() as opened:
        server = opened.enter_context(serving(stack, database.fresh(stack.name), workers=workers))
        database.settle()
        await_all(server)
        if share is not None:
            pids = [usage.pid for usage in tree(server.pid, processes())]
            if not opened.enter_context(shared_out(pids[1:] if workers > 1 else pids, share)):
                return None
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

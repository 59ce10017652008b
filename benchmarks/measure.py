"""Measuring: stacks take turns, round by round, each on a fresh copy of the data."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.cpu import resident_bytes
from benchmarks.databases import Database
from benchmarks.load import Job, LoadError, Result
from benchmarks.rows import Size
from benchmarks.stacks import LOCALHOST, Server, Stack, serving
from benchmarks.workloads import Target

ROOT = Path(__file__).parents[1]
WORKLOAD_ORDER = ("W1", "W2", "W2p", "W3")
"""Writing comes last: what it leaves behind would be in the others' way. The next turn has a fresh copy."""


@dataclass(frozen=True)
class Sample:
    """One measurement of one stack.

    Attributes:
        start_seconds, start_cpu_seconds: what starting took; the same for all samples of a turn.
        resident_bytes: memory of its largest process after this measurement.
    """

    round: int
    stack: str
    database: str
    workload: str
    connections: int
    result: Result
    start_seconds: float
    start_cpu_seconds: float
    resident_bytes: int


@dataclass(frozen=True)
class Course:
    """What is measured, and for how long each time."""

    stacks: Sequence[Stack]
    workloads: Sequence[str]
    connections: Sequence[int]
    rounds: int
    seconds: float
    warmup_seconds: float
    size: Size

    def taking_turns(self, database: Database, number: int) -> list[Stack]:
        """Those that are measured in this round."""
        return [stack for stack in self.stacks if database.name in stack.databases and (number == 0 or not stack.once)]

    def measurements(self, database: Database) -> int:
        """How many samples there will be."""
        turns = sum(len(self.taking_turns(database, number)) for number in range(self.rounds))
        return turns * len(self.workloads) * len(self.connections)


def generate(job: Job) -> Result:
    """Runs a job in a process of its own.

    Raises:
        LoadError: an answer was wrong; nothing of this run counts.
    """
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        input=job.to_json().encode(),
        capture_output=True,
        check=False,
    )
    if not done.stdout:
        raise LoadError(done.stderr.decode(errors="replace")[-2000:])
    return Result.from_json(done.stdout)


def together(samples: Sequence[Sample]) -> Sample:
    """Several measurements of one server as one; latencies are the medians of theirs."""
    results = [sample.result for sample in samples]
    p50, p90, p99, longest = (median(values) for values in zip(*(result.latencies for result in results), strict=True))
    used = {name: sum(result.cpu_seconds[name] for result in results) for name in results[0].cpu_seconds}
    whole = Result(
        sum(result.answered for result in results),
        sum(result.seconds for result in results),
        used,
        (p50, p90, p99, longest),
        sum(spans) if (spans := [result.spans for result in results if result.spans is not None]) else None,
    )
    return replace(samples[-1], result=whole)


def target_of(server: Server, tokens: Sequence[str], size: Size) -> Target:
    """Requests for a running server, of a run of its own."""
    seed = secrets.randbits(32)
    return Target(LOCALHOST, server.port, server.stack.id_style, tokens, size.users, size.pending, f"r{seed:08x}", seed)


def observed(server: Server, database: Database) -> dict[str, int]:
    """Whose CPU is read while a job runs."""
    found = {"server": server.pid}
    if server.sink is not None:
        found["sink"] = server.sink.pid  # so that it is not taken for another program
    return found if database.pid is None else {**found, "database": database.pid}


def counted(server: Server) -> str | None:
    """Where its spans are counted."""
    return None if server.sink is None else str(server.sink.counter)


def measure(course: Course, database: Database, tokens: Sequence[str], on_sample: Callable[[Sample], None]) -> None:
    """All rounds on one kind of database. Within a round each stack has its turn; every second round goes backwards."""
    for number in range(course.rounds):
        stacks = course.taking_turns(database, number)
        for stack in stacks if number % 2 == 0 else reversed(stacks):
            turn(course, database, stack, tokens, number, on_sample)


def turn(
    course: Course,
    database: Database,
    stack: Stack,
    tokens: Sequence[str],
    number: int,
    on_sample: Callable[[Sample], None],
) -> None:
    """One stack's turn: started anew, on a fresh copy of the data."""
    with serving(stack, database.fresh(stack.name)) as server:
        database.settle()
        for workload in sorted(course.workloads, key=WORKLOAD_ORDER.index):
            for index, connections in enumerate(course.connections):
                job = Job(
                    target_of(server, tokens, course.size),
                    workload,
                    connections,
                    course.seconds,
                    course.warmup_seconds / (1 if index == 0 else 4),  # its code is warm already
                    observe=observed(server, database),
                    spans=counted(server),
                )
                on_sample(take(job, server, database, number))


def take(job: Job, server: Server, database: Database, number: int) -> Sample:
    """One measurement on a running server."""
    result = generate(job)
    return Sample(
        round=number,
        stack=server.stack.name,
        database=database.name,
        workload=job.workload,
        connections=job.connections,
        result=result,
        start_seconds=server.start_seconds,
        start_cpu_seconds=server.start_cpu_seconds,
        resident_bytes=max(resident_bytes(server.pid)),
    )

"""Measuring: stacks take turns, round by round, each on a fresh copy of the data."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.databases import Database
from benchmarks.load import Job, LoadError, Result
from benchmarks.stacks import LOCALHOST, Server, Stack, serving
from benchmarks.workloads import Target

ROOT = Path(__file__).parents[1]
WORKLOAD_ORDER = ("W1", "W2", "W2p", "W3")
"""Writing comes last: what it leaves behind would be in the others' way. The next turn has a fresh copy."""


@dataclass(frozen=True)
class Sample:
    """One measurement of one stack."""

    round: int
    stack: str
    database: str
    workload: str
    connections: int
    result: Result


@dataclass(frozen=True)
class Course:
    """What is measured, and for how long each time."""

    stacks: Sequence[Stack]
    workloads: Sequence[str]
    connections: Sequence[int]
    rounds: int
    seconds: float
    warmup_seconds: float
    users: int


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
    values = orjson.loads(done.stdout)
    if "error" in values:
        raise LoadError(values["error"])
    return Result(**{**values, "latencies": tuple(values["latencies"])})


def target_of(server: Server, tokens: Sequence[str], users: int) -> Target:
    """Requests for a running server, of a run of its own."""
    seed = secrets.randbits(32)
    return Target(LOCALHOST, server.port, server.stack.id_style, tokens, users, f"r{seed:08x}", seed)


def observed(server: Server, database: Database) -> dict[str, int]:
    """Whose CPU is read while a job runs."""
    found = {"server": server.pid}
    return found if database.pid is None else {**found, "database": database.pid}


def measure(
    course: Course, database: Database, tokens: Sequence[str], on_sample: Callable[[Sample], None]
) -> list[Sample]:
    """All rounds on one kind of database. Within a round each stack has its turn; every second round goes backwards."""
    samples: list[Sample] = []
    stacks = [stack for stack in course.stacks if database.name in stack.databases]
    for number in range(course.rounds):
        for stack in stacks if number % 2 == 0 else reversed(stacks):
            for sample in turn(course, database, stack, tokens, number):
                samples.append(sample)
                on_sample(sample)
    return samples


def turn(course: Course, database: Database, stack: Stack, tokens: Sequence[str], number: int) -> list[Sample]:
    """One stack's turn: started anew, on a fresh copy of the data."""
    samples: list[Sample] = []
    with serving(stack, database.fresh(stack.name)) as server:
        database.settle()
        for workload in sorted(course.workloads, key=WORKLOAD_ORDER.index):
            for connections in course.connections:
                job = Job(
                    target_of(server, tokens, course.users),
                    workload,
                    connections,
                    course.seconds,
                    course.warmup_seconds,
                    observe=observed(server, database),
                )
                result = generate(job)
                samples.append(Sample(number, stack.name, database.name, workload, connections, result))
    return samples

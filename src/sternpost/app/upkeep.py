"""What a running service does by itself now and then, such as removing what has expired."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random

from sternpost.clock import Clock
from sternpost.errors import SternpostError
from sternpost.pipeline.keys import Keys
from sternpost.pipeline.runtime import Runtime
from sternpost.ports.storage import Statistics, Storage, TransactionOptions
from sternpost.telemetry.events import JobFailed, JobRefused
from sternpost.telemetry.telemetry import Telemetry

PACE_SECONDS = 0.2
"""The pause between two parts of one job: others get at the database meanwhile."""

EXPIRED_EVERY_SECONDS = 60.0
EXPIRED_ROWS_MAX = 1000
EXPIRED_SECONDS_MAX = 30.0
"""How often answers that have expired are looked for; how many one transaction removes, and how long it may take."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done now and then.

    Attributes:
        name: as the log tells it.
        run: does a part of it; whether there is more to do at once.
    """

    name: str
    every_seconds: float
    run: Callable[[], Awaitable[bool]]


class Upkeep:
    """Runs jobs, each for itself and never twice at a time, until it is stopped.

    Args:
        sleep, random: replaced in tests.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        telemetry: Telemetry,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] | None = None,
    ) -> None:
        self._jobs = tuple(jobs)
        self._telemetry = telemetry
        self._sleep = sleep
        self._random = random or Random().random  # noqa: S311  (own ones, on which no other numbers depend)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins; called in the event loop of the service."""
        self._tasks = [asyncio.create_task(self._repeat(job), name=f"upkeep: {job.name}") for job in self._jobs]

    async def stop(self) -> None:
        """Ends all of it, and waits until it has ended: what a job has begun in the database is rolled back."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _repeat(self, job: Job) -> None:
        await self._sleep(job.every_seconds * self._random())  # processes that start together do not do it together
        while True:
            more = await self._run(job)
            await self._sleep(PACE_SECONDS if more else job.every_seconds * (0.75 + self._random() / 2))

    async def _run(self, job: Job) -> bool:
        """Does a part of a job. What fails is logged, and tried again when it is due."""
        try:
            return await job.run()
        except SternpostError as error:
            self._telemetry.tell(JobRefused(job=job.name, error=error))
        except Exception as error:  # noqa: BLE001  (a job that fails must not end the others, nor itself for ever)
            self._telemetry.tell(JobFailed(job=job.name, error=error))
        return False


def jobs_of(runtime: Runtime) -> list[Job]:
    """Everything that a service does by itself."""
    found: list[Job] = []
    if runtime.keys is not None:
        found.append(expired_answers(runtime.storage, runtime.keys))
    if runtime.newest.emits:
        found.append(old_events(runtime.storage, runtime.clock))
    return found


def expired_answers(storage: Storage, keys: Keys) -> Job:
    """Removes the answers of idempotency keys that have expired, some at a time."""

    async def run() -> bool:
        options = TransactionOptions(timeout_seconds=EXPIRED_SECONDS_MAX)
        async with storage.transaction(Statistics(), options) as session:
            removed = await keys.store.remove_expired(session, keys.clock.now(), EXPIRED_ROWS_MAX)
        return removed == EXPIRED_ROWS_MAX

    return Job("Removing expired idempotency keys", EXPIRED_EVERY_SECONDS, run)


def old_events(storage: Storage, clock: Clock) -> Job:
    """Removes the events that are older than the contract keeps them, some at a time."""
    outbox = storage.outbox()

    async def run() -> bool:
        return await outbox.remove_expired(clock.now(), EXPIRED_ROWS_MAX) == EXPIRED_ROWS_MAX

    return Job("Removing old events", EXPIRED_EVERY_SECONDS, run)

"""A worker that stands still under writes (SIGSTOP), and goes on or is replaced: nothing is lost, and nothing is done
twice."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.faults.judge import Verdict, verdict_of
from tests.faults.ledger import Load, Writer
from tests.faults.seeds import new_seed
from tests.faults.service import Service
from tests.support.supervised import alive, pids, wait_for_lines

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

WORKERS = 2
SILENT_SECONDS = 2
"""After which the supervisor replaces a worker."""


async def stopped(service: Service, folder: Path, *, rounds: int, replaced: bool, what: str) -> Verdict:
    seed = new_seed()
    drawn = random.Random(seed)
    with service:
        with Writer(Load(service.port, seed), folder / "ledger") as writer:
            for number in range(1, rounds + 1):
                writer.wait_for(20)
                victim = drawn.choice([pid for pid in pids(service.process).values() if alive(pid)])
                time.sleep(drawn.uniform(0, 0.1))
                os.kill(victim, signal.SIGSTOP)
                if replaced:
                    wait_for_lines(service.process, "Worker was killed", number)
                else:
                    time.sleep(drawn.uniform(0.2, 1.0))
                    os.kill(victim, signal.SIGCONT)
            writer.wait_for(20)
        assert service.stop() == 0
    return await verdict_of(folder / "ledger", service.database_url, f"{what}, {rounds} stops, seed {seed}")


async def test_a_worker_that_goes_on_does_nothing_twice(database_url: str, database: str, tmp_path: Path) -> None:
    service = Service(database_url, tmp_path, workers=WORKERS)
    verdict = await stopped(service, tmp_path, rounds=4, replaced=False, what=database)
    verdict.require_clean(acknowledged=80)
    assert not verdict.open, "nothing was cut off"


async def test_a_worker_that_is_replaced_loses_nothing(database_url: str, database: str, tmp_path: Path) -> None:
    service = Service(database_url, tmp_path, workers=WORKERS, STERNPOST_WORKER_SILENT_SECONDS=str(SILENT_SECONDS))
    verdict = await stopped(service, tmp_path, rounds=1, replaced=True, what=database)
    verdict.require_clean(acknowledged=40)


@pytest.mark.parametrize("database", ["sqlite"])
async def test_a_worker_that_answers_before_it_commits_is_found(database_url: str, tmp_path: Path) -> None:
    """The control."""
    service = Service(
        database_url,
        tmp_path,
        workers=WORKERS,
        plant="answers_before_commit",
        STERNPOST_WORKER_SILENT_SECONDS=str(SILENT_SECONDS),
    )
    verdict = await stopped(service, tmp_path, rounds=3, replaced=True, what="answers_before_commit")
    assert verdict.lost

"""SIGKILL at random moments under writes: nothing acknowledged is lost, nothing refused is there, nothing is there in part."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.judge import Verdict, verdict_of
from tests.faults.ledger import Load, Writer
from tests.faults.seeds import new_seed
from tests.faults.service import Service
from tests.support.rounds import rounds

pytestmark = pytest.mark.slow


async def ended(
    service: Service,
    folder: Path,
    times: int,
    *,
    seed: int,
    keyed: bool = False,
    what: str = "",
    end: Callable[[Service], None] = Service.kill,
) -> Verdict:
    """Ends the serving process so often, at random moments, while it is written to, and starts it again; then judges."""
    drawn = random.Random(seed)
    ledger = folder / "ledger"
    with service:
        with Writer(Load(service.port, seed, keyed=keyed), ledger) as writer:
            for _ in range(times):
                writer.wait_for(1)
                time.sleep(drawn.uniform(0, 0.3))
                end(service)
                service.start()
            writer.wait_for(1)
        assert service.ask("GET", "/health/ready")[0] == 200
    return await verdict_of(ledger, service.database_url, f"{what} ended {times} times, seed {seed}")


@rounds(few=4, many=20)
async def test_a_kill_of_the_process_loses_nothing(
    database_url: str, database: str, tmp_path: Path, rounds: int
) -> None:
    service = Service(database_url, tmp_path)
    verdict = await ended(service, tmp_path, rounds, seed=new_seed(), what=database)
    verdict.require_clean(acknowledged=10 * rounds)


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize(("plant", "found"), [("answers_before_commit", "lost"), ("half_committed", "half")])
async def test_what_answers_before_it_commits_is_found(
    database_url: str, tmp_path: Path, plant: str, found: str
) -> None:
    """The control of this file."""
    service = Service(database_url, tmp_path, plant=plant)
    verdict = await ended(service, tmp_path, 4, seed=new_seed(), what=plant)
    assert getattr(verdict, found)

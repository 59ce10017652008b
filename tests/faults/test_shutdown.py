"""SIGTERM at random moments under writes: whoever has sent something is answered, and what was answered is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.seeds import new_seed
from tests.faults.service import Service
from tests.faults.test_crash import ended
from tests.support.rounds import rounds

pytestmark = pytest.mark.slow


def stop(service: Service) -> None:
    assert service.stop() == 0


@pytest.mark.parametrize("workers", [1, 2])
@rounds(few=4, many=10)
async def test_a_stop_leaves_nobody_without_an_answer(
    database_url: str, database: str, tmp_path: Path, workers: int, rounds: int
) -> None:
    service = Service(database_url, tmp_path, workers=workers)
    verdict = await ended(service, tmp_path, rounds, seed=new_seed(), what=f"{database}, {workers} workers,", end=stop)
    verdict.require_clean(acknowledged=10 * rounds, closed=True)


async def test_a_stop_that_waits_for_nobody_is_found(database_url: str, tmp_path: Path) -> None:
    """The control."""
    service = Service(database_url, tmp_path, plant="waits_for_nobody")
    verdict = await ended(service, tmp_path, 10, seed=new_seed(), what="waits_for_nobody,", end=stop)
    assert verdict.open
    assert not verdict.lost

"""PostgreSQL is killed under writes, with all its processes, and started again: what it has acknowledged is there."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import not_run
from tests.faults.judge import Verdict, verdict_of
from tests.faults.ledger import Load, Writer
from tests.faults.seeds import new_seed
from tests.faults.service import Service
from tests.support.postgres import NoPostgres, PrivateServer
from tests.support.rounds import rounds
from tests.support.server import wait_until

pytestmark = pytest.mark.slow

READY_SECONDS = 5
"""How long readiness may take to see that the database is back: it is checked in the background."""

FORGETFUL = ("synchronous_commit=off", "wal_writer_delay=10s", "wal_writer_flush_after=0", "wal_buffers=64MB")
"""The control: it acknowledges before anything is written, and writes much later."""


@pytest.fixture
def postgres() -> Iterator[PrivateServer]:
    try:
        server = PrivateServer()
    except NoPostgres as error:
        not_run("PostgreSQL killed under load", str(error))
    with server:
        yield server


async def killed(
    postgres: PrivateServer, folder: Path, kills: int, seed: int, what: str, *, keyed: bool = False
) -> Verdict:
    drawn = random.Random(seed)
    ledger = folder / "ledger"
    with Service(postgres.url, folder, STERNPOST_DATABASE_TIMEOUT_SECONDS="2") as service:
        with Writer(Load(service.port, seed, keyed=keyed), ledger) as writer:
            for _ in range(kills):
                writer.wait_for(10)
                time.sleep(drawn.uniform(0, 0.3))
                postgres.kill()
                postgres.start()
            writer.wait_for(10)
        wait_until(lambda: service.ask("GET", "/health/ready")[0] == 200, READY_SECONDS)
        assert service.stop() == 0
        assert not any('"errorCode":"INTERNAL_ERROR"' in line for line in service.lines)
    return await verdict_of(ledger, postgres.url, f"{what} {kills} kills of PostgreSQL, seed {seed}")


@rounds(few=1, many=10)
async def test_a_kill_of_the_database_loses_nothing(postgres: PrivateServer, tmp_path: Path, rounds: int) -> None:
    verdict = await killed(postgres, tmp_path, rounds, new_seed(), "fsync on,")
    verdict.require_clean(acknowledged=10 * rounds)


async def test_a_database_that_acknowledges_before_it_writes_is_found(postgres: PrivateServer, tmp_path: Path) -> None:
    """The control."""
    postgres.stop()
    postgres.options += FORGETFUL
    postgres.start()
    verdict = await killed(postgres, tmp_path, 1, new_seed(), "synchronous_commit off,")
    assert verdict.lost

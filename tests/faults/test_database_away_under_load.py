"""PostgreSQL goes away under load, or its name is found no more: readiness tells it, requests fail at once, and what
does not need it goes on; once it is back, all of it is."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import not_run
from tests.faults.canary import Canary
from tests.faults.judge import verdict_of
from tests.faults.ledger import Entry, Load, Writer, entries
from tests.faults.seeds import new_seed
from tests.faults.service import Service
from tests.faults.shims import built
from tests.support.postgres import NoPostgres, PrivateServer
from tests.support.server import wait_until

pytestmark = pytest.mark.slow

POOL_SIZE = 6
CLIENTS = 20
RATE = 100
AWAY_SECONDS = 10.0
TOLD_SECONDS = 2.0
"""Within which readiness falls, and within which all goes on again."""
FAILED_MS_MAX = 1000
"""What a request may take that fails for it: far less than the time limits of the service."""


@dataclass
class Readiness:
    """What readiness was, asked all the time. Use it in a `with` block.

    Attributes:
        seen: when it was asked, by the monotonic clock, and what the status was.
    """

    service: Service
    seen: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Readiness:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stopped.wait(0.05):
            status, _ = self.service.ask("GET", "/health/ready")
            self.seen.append((time.monotonic(), status))

    def since(self, at: float, status: int) -> float:
        """How many seconds after a time it was first so."""
        return next(when - at for when, found in self.seen if when > at and found == status)


@pytest.fixture
def postgres() -> Iterator[PrivateServer]:
    try:
        server = PrivateServer()
    except NoPostgres as error:
        not_run("PostgreSQL away under load", str(error))
    with server:
        yield server


def served(url: str, folder: Path, plant: str = "", **env: str) -> Service:
    return Service(url, folder, plant=plant, STERNPOST_DATABASE_POOL_SIZE=str(POOL_SIZE), **env)


def told(found: list[Entry], since: float, until: float) -> list[Entry]:
    """What was answered in a time."""
    return [entry for entry in found if since <= entry.answered < until]


@dataclass
class Measured:
    """What a time without the database has cost."""

    fell: float
    rose: float
    """Seconds until readiness fell, and after the database was back rose again."""
    refused: int
    refused_ms: float
    """How many requests were answered meanwhile, and how long the slowest of them took."""
    after: float
    """Seconds after the database was back in which a request still failed."""
    statuses: set[int]
    connections: int

    def require(self, away: float) -> None:
        assert self.fell <= TOLD_SECONDS
        assert self.rose <= TOLD_SECONDS
        assert self.refused > RATE * away / 2, "the writers were held up"
        assert self.refused_ms <= FAILED_MS_MAX
        assert self.after <= TOLD_SECONDS
        assert self.statuses <= {503, 504}
        assert self.connections <= POOL_SIZE


async def measured(postgres: PrivateServer, folder: Path, away: float, plant: str = "") -> Measured:
    """Has it go away for so many seconds, and judges what was written meanwhile."""
    ledger, seed = folder / "ledger", new_seed()
    with served(postgres.url, folder, plant=plant) as service:
        with (
            Readiness(service) as readiness,
            Canary(service.port, "/health") as canary,
            Writer(Load(service.port, seed, rate=RATE, clients=CLIENTS), ledger) as writer,
        ):
            writer.wait_for(100)
            gone = time.monotonic()
            postgres.stop(signal.SIGINT)
            time.sleep(max(away - (time.monotonic() - gone), 0))
            postgres.start()
            back = time.monotonic()
            wait_until(lambda: time.monotonic() > back + TOLD_SECONDS and readiness.seen[-1][1] == 200)
            writer.wait_for(20)
        canary.require_unharmed()
        connections = await sessions(postgres.url)
        assert service.stop() == 0
    found = list(entries(ledger).values())
    failed = [entry for entry in found if entry.state != "ok"]
    refused = told(found, gone, back)
    (await verdict_of(ledger, postgres.url, f"away for {away} s, seed {seed}")).require_clean(acknowledged=120)
    return Measured(
        fell=readiness.since(gone, 503),
        rose=readiness.since(back, 200),
        refused=len(refused),
        refused_ms=max((entry.late_ms for entry in refused), default=0),
        after=max(entry.answered for entry in failed) - back,
        statuses={entry.status for entry in failed},
        connections=connections,
    )


@pytest.mark.slow
async def test_ten_seconds_without_the_database_cost_what_needs_it(postgres: PrivateServer, tmp_path: Path) -> None:
    found = await measured(postgres, tmp_path, AWAY_SECONDS)
    print(found)
    found.require(AWAY_SECONDS)


@pytest.mark.slow
async def test_a_pool_that_waits_for_the_database_is_found(postgres: PrivateServer, tmp_path: Path) -> None:
    """The control."""
    found = await measured(postgres, tmp_path, 3, "connects_patiently")
    print(found)
    with pytest.raises(AssertionError):
        found.require(3)


async def sessions(url: str) -> int:
    """How many connections the service has."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()


async def test_a_name_that_is_not_found_costs_new_connections_only(postgres: PrivateServer, tmp_path: Path) -> None:
    """What has a connection goes on; without one, requests fail at once, and recover with the name."""
    shim, ledger, seed = built("name_failure", tmp_path, "names that are not found"), tmp_path / "ledger", new_seed()
    names_fail = tmp_path / "names-fail"
    url = postgres.url.replace("127.0.0.1", "localhost")
    with served(url, tmp_path, LD_PRELOAD=str(shim), NAMES_FAIL=str(names_fail)) as service:
        with Writer(Load(service.port, seed, rate=RATE, clients=POOL_SIZE // 2), ledger) as writer:
            writer.wait_for(20)
            names_fail.touch()
            writer.wait_for(20)
            assert writer.said("fail") + writer.said("unknown") == 0, "its connections are used on"
            cut = time.monotonic()
            await cut_all(postgres.url)
            writer.wait_for(20, "fail")
            wait_until(lambda: service.ask("GET", "/health/ready")[0] == 503, TOLD_SECONDS)
            assert service.ask("GET", "/health")[0] == 200
            names_fail.unlink()
            found = time.monotonic()
            writer.wait_for(20)
        wait_until(lambda: service.ask("GET", "/health/ready")[0] == 200, TOLD_SECONDS)
        assert service.stop() == 0
    failed = [entry for entry in entries(ledger).values() if entry.state != "ok"]
    assert {entry.status for entry in failed} <= {503, 504}
    assert max(entry.late_ms for entry in told(failed, cut, found)) <= FAILED_MS_MAX
    assert max(entry.answered for entry in failed) - found <= TOLD_SECONDS
    (await verdict_of(ledger, postgres.url, f"names not found, seed {seed}")).require_clean(acknowledged=60)


async def cut_all(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
    finally:
        await connection.close()

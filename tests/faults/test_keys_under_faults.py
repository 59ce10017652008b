"""Clients try again with the key of what they were not told of, while processes and databases are killed: each change
is made exactly once, however often it was sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import not_run
from tests.faults.seeds import new_seed
from tests.faults.service import Service
from tests.faults.test_crash import ended
from tests.faults.test_postgres_crash import killed as database_killed
from tests.support.postgres import NoPostgres, PrivateServer
from tests.support.rounds import rounds

pytestmark = pytest.mark.slow


@rounds(few=4, many=100)
async def test_a_retry_with_its_key_is_safe_whenever_the_process_is_killed(
    database_url: str, database: str, tmp_path: Path, rounds: int
) -> None:
    service = Service(database_url, tmp_path)
    verdict = await ended(service, tmp_path, rounds, seed=new_seed(), keyed=True, what=f"{database}, with keys,")
    verdict.require_clean(acknowledged=10 * rounds, closed=True)
    assert verdict.tried_again >= rounds, "nothing was tried again, so nothing is proved"


async def test_keys_that_are_ignored_are_found(database_url: str, tmp_path: Path) -> None:
    """The control."""
    service = Service(database_url, tmp_path, plant="keys_ignored")
    verdict = await ended(service, tmp_path, 4, seed=new_seed(), keyed=True, what="keys_ignored,")
    assert verdict.duplicate
    assert not verdict.lost


@rounds(few=1, many=10)
async def test_a_retry_with_its_key_is_safe_whenever_the_database_is_killed(tmp_path: Path, rounds: int) -> None:
    try:
        server = PrivateServer()
    except NoPostgres as error:
        not_run("PostgreSQL killed under keys", str(error))
    with server as postgres:
        verdict = await database_killed(postgres, tmp_path, rounds, new_seed(), "with keys,", keyed=True)
    verdict.require_clean(acknowledged=10 * rounds, closed=True)

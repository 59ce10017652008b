"""PostgreSQL goes away and comes back: readiness tells, requests fail clearly, recovery needs no restart."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import not_run
from tests.support.postgres import NoPostgres, PrivateServer
from tests.support.server import Process, environment, running


@pytest.fixture
def private_postgres() -> PrivateServer:
    try:
        server = PrivateServer()
    except NoPostgres as error:
        not_run("PostgreSQL away and back", str(error))
    return server


TIMEOUT_SECONDS = 20
"""How long a request may wait for the database: far longer than any answer here takes, however busy the machine is."""


TOLD_SECONDS = 2.0
"""Within which readiness says that the database is away, and that it is back. A check may have begun just before, and
takes a moment on a busy machine."""


def told(server: Process, status: int) -> tuple[int, Any]:
    """What readiness answers, once it has this status."""
    started = time.monotonic()
    while (answer := server.request("GET", "/health/ready"))[0] != status:
        assert time.monotonic() < started + TOLD_SECONDS + 0.5, answer
        time.sleep(0.02)
    return answer


def test_readiness_falls_and_recovers_by_itself(private_postgres: PrivateServer, tmp_path: Path) -> None:
    with private_postgres as postgres:
        env = environment(
            STERNPOST_DATABASE_URL=postgres.url,
            STERNPOST_PORT="0",
            STERNPOST_DATABASE_TIMEOUT_SECONDS=str(TIMEOUT_SECONDS),
        )
        with running(["-m", "sternpost", "serve", "shop.app:app", "--create-schema"], env, tmp_path) as server:
            user = {"name": "A", "email": "a@shop.example"}
            assert server.request("POST", "/api/v1/users", user)[0] == 201
            assert server.request("GET", "/health/ready")[0] == 200
            postgres.stop(signal.SIGINT)
            status, body = told(server, 503)
            assert (status, body["status"], body["checks"]["database"]["status"]) == (503, "unhealthy", "unhealthy")
            assert server.request("GET", "/health") == (200, {"status": "healthy"})
            started = time.monotonic()
            status, body = server.request("GET", "/api/v1/products")
            assert (status, body["error"]["code"]) == (503, "UNAVAILABLE")
            assert time.monotonic() - started < TIMEOUT_SECONDS / 4, "it waits for nothing"
            assert "postgres" not in str(body).lower()
            postgres.start()
            told(server, 200)
            assert server.request("POST", "/api/v1/users", user)[0] == 409
            assert server.stop() == 0


def test_it_starts_while_the_database_is_away_and_becomes_ready_with_it(
    private_postgres: PrivateServer, tmp_path: Path
) -> None:
    with private_postgres as postgres:
        postgres.stop(signal.SIGINT)
        env = environment(STERNPOST_DATABASE_URL=postgres.url, STERNPOST_PORT="0")
        with running(["-m", "sternpost", "serve", "shop.app:app"], env, tmp_path) as server:
            assert server.request("GET", "/health/ready")[0] == 503
            postgres.start()
            server.wait_for('"message":"A dependency is unhealthy".*"check":"database"')
            assert told(server, 503)[0] == 503  # it answers, but there is no schema
            server.wait_for("sternpost migrate apply")
            assert server.stop() == 0

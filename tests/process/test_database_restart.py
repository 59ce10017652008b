"""PostgreSQL is stopped and started under load: 503 with Retry-After and nothing else, then recovery, and no write is lost."""

from __future__ import annotations

import http.client
import json
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import not_run
from tests.support.postgres import NoPostgres, PrivateServer
from tests.support.server import Process, environment, running

CLIENTS = 16
POOL_SIZE = 5

ROUNDS = 6


class Load:
    """Clients that read and write until they are stopped, and keep account of every answer."""

    def __init__(self, server: Process) -> None:
        self.server = server
        self.stopped = threading.Event()
        self.statuses: Counter[int] = Counter()
        self.wrong: list[str] = []
        self.acknowledged: list[str] = []
        self.slowest = 0.0
        self.threads = [threading.Thread(target=self._run, args=(number,)) for number in range(CLIENTS)]

    def _run(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        count = 0
        while not self.stopped.is_set():
            count += 1
            started = time.monotonic()
            try:
                if count % 2:
                    email = f"u{number}-{count}@shop.example"
                    body = json.dumps({"name": "U", "email": email})
                    connection.request("POST", "/api/v1/users", body, {"content-type": "application/json"})
                else:
                    email = None
                    connection.request("GET", "/api/v1/products?pageSize=1")
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(repr(error))
                connection.close()
                continue
            self.slowest = max(self.slowest, time.monotonic() - started)
            self.statuses[response.status] += 1
            if response.status == 201 and email is not None:
                self.acknowledged.append(email)
            elif response.status == 503:
                if not response.headers["retry-after"]:
                    self.wrong.append("503 without Retry-After")
                self.stopped.wait(0.02)
            elif response.status == 504 and b'"OUTCOME_UNKNOWN"' in content:  # it was cut off while it committed
                self.stopped.wait(0.02)
            elif response.status != 200:
                self.wrong.append(f"{response.status} {content.decode()}")
        connection.close()

    def wait_for(self, status: int, more: int = 50, seconds: float = 20) -> None:
        before = self.statuses[status]
        deadline = time.monotonic() + seconds
        while self.statuses[status] < before + more:
            assert time.monotonic() < deadline, f"{status} did not come; there were {self.statuses}, {self.wrong[:3]}"
            time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGINT, id="fast"), pytest.param(signal.SIGQUIT, id="immediate")],
)
async def test_a_restart_under_load_costs_503s_and_nothing_else(tmp_path: Path, number: int) -> None:
    try:
        private = PrivateServer()
    except NoPostgres as error:
        not_run("PostgreSQL restarted under load", str(error))
    with private as postgres:
        env = environment(
            STERNPOST_DATABASE_URL=postgres.url,
            STERNPOST_PORT="0",
            STERNPOST_DATABASE_POOL_SIZE=str(POOL_SIZE),
            STERNPOST_DATABASE_TIMEOUT_SECONDS="2",
        )
        with running(["-m", "sternpost", "serve", "shop.app:app", "--create-schema"], env, tmp_path) as server:
            load = Load(server)
            for thread in load.threads:
                thread.start()
            try:
                for _ in range(ROUNDS):
                    load.wait_for(201)
                    postgres.stop(number)
                    load.wait_for(503)
                    postgres.start()
                    failed = load.statuses[503]
                    load.wait_for(201, more=1)
                    load.wait_for(200, more=1)
                    assert load.statuses[503] - failed <= CLIENTS, "what is asked once the database is back succeeds"
                    load.wait_for(201)
                    failed = load.statuses[503]
                    load.wait_for(200, more=200)
                    assert load.statuses[503] == failed, "nothing fails any more once the database is back"
            finally:
                load.stopped.set()
                for thread in load.threads:
                    thread.join(40)
            assert load.wrong == []
            assert set(load.statuses) - {504} == {200, 201, 503}
            assert load.slowest < 5
            connection = await asyncpg.connect(postgres.url)
            stored = {row["email"] for row in await connection.fetch("SELECT email FROM users")}
            sessions = await connection.fetch(
                "SELECT state FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            await connection.close()
            assert set(load.acknowledged) <= stored
            assert len(load.acknowledged) > 50 * ROUNDS
            assert len(sessions) <= POOL_SIZE
            assert {row["state"] for row in sessions} <= {"idle"}
            assert not any("Traceback" in line or '"errorCode":"INTERNAL_ERROR"' in line for line in server.lines)
            assert server.stop() == 0

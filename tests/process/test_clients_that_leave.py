"""Clients that close their connection before they are answered: their reads end, their writes are carried out."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tests.support.server import Process, environment, running, wait_until

APP = "tests.process.leaving_service:app"
LIMIT_SECONDS = 60
"""How long a request may take: far longer than the tests wait for its end."""

READERS = 12
"""More than there are threads, or connections, for reads."""


@pytest.fixture
def server(database_url: str, tmp_path: Path) -> Iterator[Process]:
    env = environment(
        STERNPOST_DATABASE_URL=database_url,
        STERNPOST_PORT="0",
        STERNPOST_DATABASE_POOL_SIZE="3",
        STERNPOST_REQUEST_TIMEOUT_SECONDS=str(LIMIT_SECONDS),
        LEAVING_FOLDER=str(tmp_path),
    )
    with running(["-m", "sternpost", "serve", APP, "--create-schema"], env, tmp_path) as server:
        yield server


def ask(server: Process, method: str, path: str, accept: str = "*/*") -> socket.socket:
    """Sends a request, and does not wait for its answer."""
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nContent-Length: 0\r\n\r\n"
    connection.sendall(request.encode())
    return connection


def left(server: Process) -> list[dict[str, Any]]:
    """The log lines of requests whose clients have left."""
    lines = [json.loads(line) for line in list(server.lines) if line[:1] == "{"]
    return [line for line in lines if line.get("status") == 499]


def test_reads_end_with_their_clients(server: Process) -> None:
    """Many more than can be served at a time, one after the other; then there is room for others at once."""
    for number in range(READERS):
        ask(server, "GET", "/api/v1/notes/look").close()
        wait_until(lambda count=number + 1: len(left(server)) == count)
    started = time.monotonic()
    assert server.request("GET", "/health/ready")[0] == 200  # on SQLite it needs a reader thread
    assert server.request("GET", "/api/v1/notes")[0] == 200
    assert time.monotonic() - started < LIMIT_SECONDS / 4
    assert server.request("POST", "/api/v1/notes", {"text": "well"})[0] == 201
    assert server.stop() == 0


def test_reads_that_run_at_the_same_time_end_with_their_clients(server: Process) -> None:
    asked = [ask(server, "GET", "/api/v1/notes/look") for _ in range(3)]
    with ThreadPoolExecutor() as threads:  # the answer to a later request shows that the others have arrived
        assert threads.submit(server.request, "GET", "/health").result(20)[0] == 200
    for connection in asked:
        connection.close()
    wait_until(lambda: len(left(server)) == len(asked))
    assert server.request("GET", "/health/ready")[0] == 200
    assert server.stop() == 0


def test_a_write_is_carried_out(server: Process, tmp_path: Path) -> None:
    connection = ask(server, "POST", "/api/v1/notes/write")
    wait_until((tmp_path / "entered").exists)
    connection.close()
    (tmp_path / "release").touch()
    wait_until(lambda: server.request("GET", "/api/v1/notes")[1]["data"])
    assert server.stop() == 0


@pytest.mark.parametrize("database", ["postgresql"])
@pytest.mark.parametrize("kind", ["row", "list", "export", "service"])
async def test_the_statement_ends_on_the_server(server: Process, database_url: str, kind: str) -> None:
    """Also one that was sent for several calls at once, where the last of them has gone."""
    loop = asyncio.get_running_loop()
    _, made = await loop.run_in_executor(None, server.request, "POST", "/api/v1/notes", {"text": "first"})
    paths = {"row": f"/api/v1/notes/{made['data']['id']}", "service": "/api/v1/notes/look"}
    accept = "application/x-ndjson" if kind == "export" else "*/*"
    admin, watcher = await asyncpg.connect(database_url), await asyncpg.connect(database_url)
    try:
        async with admin.transaction():
            await admin.execute("LOCK TABLE notes IN ACCESS EXCLUSIVE MODE")
            first, second = (ask(server, "GET", paths.get(kind, "/api/v1/notes"), accept) for _ in range(2))
            await _until(watcher, lambda running: running > 0)
            first.close()
            second.close()
            await _until(watcher, lambda running: running == 0)
    finally:
        await admin.close()
        await watcher.close()
    assert (await loop.run_in_executor(None, server.request, "GET", "/api/v1/notes"))[0] == 200


async def _until(watcher: Any, reached: Any) -> None:
    """Waits for the number of the service's statements that are under way."""
    async with asyncio.timeout(20):
        while not reached(await watcher.fetchval(_UNDER_WAY)):
            await asyncio.sleep(0.02)


_UNDER_WAY = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'leaving' AND state = 'active'
AND wait_event IS DISTINCT FROM 'ClientRead' AND query NOT LIKE 'SELECT pid FROM%'"""

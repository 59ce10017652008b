"""Limits of a served contract: four workers count together, and what was counted survives them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sternpost import Settings
from sternpost.app.drivers import make_limit_store
from sternpost.clock import SystemClock
from sternpost.errors import StartupError
from sternpost.limits.machine import MachineStore, shared_memory
from sternpost.limits.process import ProcessStore
from sternpost.limits.redis import RedisStore
from tests.limits.served import QUANTITY
from tests.limits.stores import SHARED
from tests.support.redis import RedisServer
from tests.support.server import Process, environment, running
from tests.support.supervised import SUPERVISOR_READY, pids, wait_for_lines

pytestmark = pytest.mark.slow

CONNECTIONS = 200
URL = "redis://127.0.0.1:1/0"


@contextmanager
def served(folder: Path, workers: int, **env: str) -> Iterator[Process]:
    settings = environment(STERNPOST_DATABASE_URL=f"sqlite:///{folder / 'limited.sqlite'}", STERNPOST_PORT="0", **env)
    command = ["-m", "sternpost", "serve", "tests.limits.served:app", "--create-schema", "--workers", str(workers)]
    with running(command, settings, Path.cwd(), SUPERVISOR_READY) as server:
        try:
            yield server
        finally:
            server.process.terminate()
            server.process.wait(20)


async def statuses(port: int, path: str, number: int) -> list[int]:
    """Of so many requests at once, each on a connection of its own."""

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read()
        writer.close()
        return int(answer.split()[1])

    return list(await asyncio.gather(*(one() for _ in range(number))))


@pytest.mark.parametrize("kind", SHARED)
@pytest.mark.timeout(300)
async def test_exactly_the_quantity_passes_through_four_workers(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Also after all of them were killed, and replaced."""
    env = {"STERNPOST_REDIS_URL": request.getfixturevalue("own_redis").url} if kind == "redis" else {}
    with served(tmp_path, 4, **env) as server:
        for path in _paths(server):
            told = [status for _ in range(4) for status in await statuses(server.port, path, CONNECTIONS)]
            assert {status: told.count(status) for status in set(told)} == {200: QUANTITY, 429: 700}
        for pid in pids(server).values():
            os.kill(pid, signal.SIGKILL)
        wait_for_lines(server, "Worker started", 8)
        for path in _paths(server):
            assert set(await statuses(server.port, path, 20)) == {429}
        status, told = server.request("GET", "/health/ready")
        assert status == 200
        assert ("redis" in told["checks"]) == (kind == "redis")


def _paths(server: Process) -> list[str]:
    _, document = server.request("GET", "/openapi.json")
    return [path.removeprefix("/api/v1/") for path, methods in document["paths"].items() if "get" in methods]


@pytest.mark.timeout(120)
async def test_a_service_without_its_redis_is_ready_and_says_so(tmp_path: Path, own_redis: RedisServer) -> None:
    with served(tmp_path, 2, STERNPOST_REDIS_URL=own_redis.url.replace("redis://", "redis://:secret-word@")) as server:
        status, told = server.request("GET", "/health/ready")
        assert (status, told["checks"]["redis"]["status"]) == (200, "degraded")
        assert "secret-word" not in json.dumps(list(server.lines))


def made(memory: int | None = None, **settings: str) -> object:
    return make_limit_store(Settings(**{"env": "test", **settings}), "shop", SystemClock(), memory)


def test_the_store_follows_the_settings_and_the_workers() -> None:
    assert isinstance(made(), ProcessStore)
    assert isinstance(made(limit_store="process"), ProcessStore)
    assert isinstance(made(limit_store="machine"), ProcessStore), "a single process is all of the machine"
    assert isinstance(made(shared_memory(1)), MachineStore)
    assert isinstance(made(shared_memory(1), redis_url=URL, limit_store="machine"), MachineStore)
    assert isinstance(made(redis_url=URL), RedisStore)
    assert isinstance(made(shared_memory(1), redis_url=URL), RedisStore)


def test_what_does_not_fit_is_told_at_the_start() -> None:
    with pytest.raises(StartupError, match=r"STERNPOST_LIMIT_STORE=process counts in each worker alone.*REDIS_URL"):
        made(shared_memory(1), limit_store="process")
    with pytest.raises(StartupError, match="Set STERNPOST_REDIS_URL"):
        made(limit_store="redis")


@pytest.mark.timeout(60)
def test_several_workers_are_not_started_where_each_would_count_alone(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match="counts in each worker alone"),
        served(tmp_path, 2, STERNPOST_LIMIT_STORE="process"),
    ):
        pass


def test_without_the_extra_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.delitem(sys.modules, "sternpost.limits.redis")
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(StartupError, match=r"pip install 'sternpost\[redis\]'"):
        made(redis_url=URL)

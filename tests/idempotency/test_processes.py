"""Keys in real servers: several workers, and processes that are killed at any point."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any

import pytest

from sternpost.auth.jwt import make_token
from tests.support.server import SECRET, Process, environment, running, wait_until

APP = "tests.idempotency.bank:app"
CALLS = 100

START_SECONDS = 90
"""Four workers on a busy machine."""

pytestmark = pytest.mark.timeout(240)


def token(subject: str) -> str:
    now = int(time.time())
    return make_token(
        SECRET, subject=subject, scopes=[], expires=now + 3600, issued=now, issuer=None, audience=None, claims={}
    )


@contextlib.contextmanager
def serving(folder: Path, url: str, *options: str, **env: str) -> Iterator[Process]:
    settings = {
        "STERNPOST_DATABASE_URL": url,
        "STERNPOST_PORT": "0",
        "STERNPOST_DATABASE_POOL_SIZE": "5",
        "BANK_FOLDER": str(folder),
        **env,
    }
    arguments = ["-m", "sternpost", "serve", APP, "--create-schema", *options]
    with running(arguments, environment(**settings), folder, seconds=START_SECONDS) as one:
        yield one


def call(
    port: int, method: str, path: str, body: Any = None, *, key: str | None = None, subject: str = "ada"
) -> tuple[int, dict[str, str], Any]:
    """One request on a connection of its own: status, headers and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"authorization": f"Bearer {token(subject)}"}
        if body is not None:
            headers["content-type"] = "application/json"
        if key is not None:
            headers["idempotency-key"] = key
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
        return response.status, {n.lower(): v for n, v in response.getheaders()}, json.loads(content or b"null")
    finally:
        connection.close()


def account(port: int) -> str:
    status, _, body = call(port, "POST", "/api/v1/accounts", {"name": "A"})
    assert status == 201, body
    return body["data"]["id"]


def entries(port: int) -> int:
    return call(port, "GET", "/api/v1/entries?pageSize=1")[2]["meta"]["totalCount"]


class Calls:
    """Many requests at once, from threads."""

    def __init__(self, count: int, one: Callable[[int], Any]) -> None:
        self.answers: list[Any] = [None] * count
        self._one = one
        self._threads = [Thread(target=self._run, args=(number,), daemon=True) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self, number: int) -> None:
        try:
            self.answers[number] = self._one(number)
        except (OSError, http.client.HTTPException) as error:
            self.answers[number] = error

    def wait(self) -> list[Any]:
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        return self.answers


def canary(port: int, account: str, run: str) -> float:
    """Reads, and changes with keys, of another principal: how many seconds half of them take at most."""
    took: list[float] = []
    for number in range(40):
        begun = time.monotonic()
        assert call(port, "GET", f"/api/v1/accounts/{account}", subject="eve")[0] == 200
        assert call(port, "POST", "/api/v1/accounts", {"name": "E"}, subject="eve", key=f"{run}{number}")[0] == 201
        took.append(time.monotonic() - begun)
    return median(took)


def test_one_effect_over_four_workers(tmp_path: Path, postgres_database: str) -> None:
    """100 calls with one key while the first is held: one effect, the same answer for all. Others go on meanwhile."""
    with serving(tmp_path, postgres_database, "--workers", "4", STERNPOST_IDEMPOTENCY_WAIT_SECONDS="30") as server:
        port = server.port
        one = account(port)
        path = f"/api/v1/accounts/{one}/pay"
        before = canary(port, one, "before")
        (tmp_path / "stop-entry").touch()
        calls = Calls(CALLS, lambda _: call(port, "POST", path, {"cents": 5}, key="k"))
        wait_until((tmp_path / "entered-entry").exists)
        during = canary(port, one, "during")
        (tmp_path / "open-entry").touch()
        answers = calls.wait()
        assert [answer[0] for answer in answers] == [200] * CALLS, answers[0]
        assert sum("idempotent-replayed" in headers for _, headers, _ in answers) == CALLS - 1
        bodies = {json.dumps({**body, "meta": None}) for _, _, body in answers}
        assert len(bodies) == 1
        assert entries(port) == 1
        print(
            f"reads and changes of others: {before * 1000:.1f} ms before, {during * 1000:.1f} ms while 100 calls wait"
        )
        assert during < 2 * before + 0.02


def test_who_waits_too_long_is_told_to_come_again(tmp_path: Path, postgres_database: str) -> None:
    with serving(tmp_path, postgres_database, "--workers", "2", STERNPOST_IDEMPOTENCY_WAIT_SECONDS="0.3") as server:
        port = server.port
        path = f"/api/v1/accounts/{account(port)}/pay"
        (tmp_path / "stop-entry").touch()
        first = Calls(1, lambda _: call(port, "POST", path, {"cents": 5}, key="k"))
        wait_until((tmp_path / "entered-entry").exists)
        late = Calls(10, lambda _: call(port, "POST", path, {"cents": 5}, key="k")).wait()
        for status, headers, body in late:
            assert status == 409, body
            assert body["error"]["code"] == "IDEMPOTENCY_KEY_IN_USE"
            assert headers["retry-after"] == "1"
        (tmp_path / "open-entry").touch()
        assert first.wait()[0][0] == 200
        status, headers, _ = call(port, "POST", path, {"cents": 5}, key="k")
        assert (status, headers["idempotent-replayed"]) == (200, "true")
        assert entries(port) == 1


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("point", [pytest.param("before", marks=pytest.mark.slow), "entry", "after", "answered"])
def test_killed_at_a_point_and_asked_again(tmp_path: Path, database_url: str, point: str) -> None:
    """kill -9 between the claim and the answer: the retry makes one effect, and a restart replays it."""
    with serving(tmp_path, database_url) as server:
        path = f"/api/v1/accounts/{account(server.port)}/pay"
        if point == "answered":
            assert call(server.port, "POST", path, {"cents": 5}, key="k")[0] == 200
        else:
            (tmp_path / f"stop-{point}").touch()
            lost = Calls(1, lambda _: call(server.port, "POST", path, {"cents": 5}, key="k"))
            wait_until((tmp_path / f"entered-{point}").exists)
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(10)
        if point != "answered":
            assert isinstance(lost.wait()[0], Exception)
            (tmp_path / f"open-{point}").touch()
    with serving(tmp_path, database_url) as server:
        status, headers, first = call(server.port, "POST", path, {"cents": 5}, key="k")
        assert status == 200, first
        assert ("idempotent-replayed" in headers) == (point == "answered")
        status, headers, second = call(server.port, "POST", path, {"cents": 5}, key="k")
        assert (status, headers["idempotent-replayed"]) == (200, "true")
        assert second["data"] == first["data"]
        assert entries(server.port) == 1


def test_a_worker_that_is_killed_leaves_the_key_to_who_waits(tmp_path: Path, postgres_database: str) -> None:
    """Two servers on one database: the first has the key and is killed; whoever waits at the second makes the change."""
    wait = {"STERNPOST_IDEMPOTENCY_WAIT_SECONDS": "30"}
    with serving(tmp_path, postgres_database, **wait) as one, serving(tmp_path, postgres_database, **wait) as two:
        path = f"/api/v1/accounts/{account(one.port)}/pay"
        (tmp_path / "stop-after").touch()
        Calls(1, lambda _: call(one.port, "POST", path, {"cents": 5}, key="k"))
        wait_until((tmp_path / "entered-after").exists)
        waiting = Calls(20, lambda _: call(two.port, "POST", path, {"cents": 5}, key="k"))
        (tmp_path / "stop-after").unlink()
        os.kill(one.process.pid, signal.SIGKILL)
        answers = waiting.wait()
        assert [answer[0] for answer in answers] == [200] * 20, answers[0]
        assert sum("idempotent-replayed" in headers for _, headers, _ in answers) == 19
        assert entries(two.port) == 1

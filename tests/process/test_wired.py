"""`sternpost serve` with what an application adds: middleware, providers, functions at start and stop, hooks."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from sternpost.auth.jwt import make_token
from tests.support.server import SECRET, environment, running, send, serving
from tests.support.supervised import SUPERVISOR_READY, wait_for_lines

APP = "tests.process.wired_service:app"


def create(port: int, sku: str) -> tuple[int, str]:
    """A new product; the status, and the process that answered."""
    now = int(time.time())
    token = make_token(SECRET, subject="admin", scopes=["products:write"], issued=now, expires=now + 600)
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        body = json.dumps({"sku": sku, "name": sku, "priceCents": 1})
        connection.request("POST", "/api/v1/products", body, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers["x-process"]


def test_one_process(tmp_path: Path) -> None:
    with serving(APP, tmp_path) as server:
        for number in range(3):
            assert create(server.port, f"A-{number}") == (201, str(server.process.pid))
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
            assert send(connection, "GET", "/api/v1/products")[1]["meta"]["totalCount"] == 3
        assert [line["made"] for line in wait_for_lines(server, "Counted", 3)] == [1, 2, 3]
        assert server.stop() == 0
    assert f"prepared in process {server.process.pid}" in server.lines
    ends = [line for line in server.lines if line in ("finished with 3", "counter torn down")]
    assert ends == ["finished with 3", "counter torn down"]


def test_each_worker_has_its_own(tmp_path: Path) -> None:
    settings = {"STERNPOST_DATABASE_URL": f"sqlite:///{tmp_path / 'wired.sqlite'}", "STERNPOST_PORT": "0"}
    command = ["-m", "sternpost", "serve", APP, "--create-schema", "--workers", "2"]
    with running(command, environment(**settings), tmp_path, SUPERVISOR_READY) as server:
        answers = [create(server.port, f"B-{number}") for number in range(20)]
        assert {status for status, _ in answers} == {201}
        workers = {line["pid"] for line in wait_for_lines(server, "Worker started", 2)}
        assert {int(process) for _, process in answers} <= workers
        assert server.stop() == 0
    assert {f"prepared in process {worker}" for worker in workers} <= set(server.lines)
    assert server.lines.count("counter torn down") == 2


def test_a_start_that_fails_says_why(tmp_path: Path) -> None:
    env = environment(STERNPOST_DATABASE_URL=f"sqlite:///{tmp_path / 'wired.sqlite'}", STERNPOST_PORT="0", BROKEN="1")
    command = [sys.executable, "-m", "sternpost", "serve", APP, "--create-schema"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env, cwd=tmp_path, timeout=60)
    assert done.returncode == 2
    assert "Counter could not be provided: ValueError: there is no room for a counter" in done.stdout + done.stderr

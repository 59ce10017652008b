"""The ops port of real processes: one alone, and a supervisor's with workers that die, stop and are replaced."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sternpost.app.ops.limits import KEY_BYTES_MAX, OVERRIDES_MAX
from sternpost.app.ops.port import CONNECTIONS_MAX, EDGE
from sternpost.auth.jwt import make_token
from tests.support import forks
from tests.support.server import SECRET, Process, environment, running, send, serving, wait_until
from tests.support.supervised import lines, pids, wait_for_lines

TOKEN = "ops-port-8c1f0e7d2b6a4953c1e0d7f2a1b3"
APP = "tests.support.limited:app"
OPS = {"STERNPOST_OPS_TOKEN": TOKEN, "STERNPOST_OPS_PORT": "0"}
WORKERS_READY = r'"message":"Workers are ready".*"port":(\d+)'


@contextlib.contextmanager
def workers(folder: Path, **env: str) -> Iterator[Process]:
    """Three of them."""
    settings = {"STERNPOST_DATABASE_URL": f"sqlite:///{folder / 'bells.sqlite'}", "STERNPOST_PORT": "0", **OPS, **env}
    command = ["-m", "sternpost", "serve", APP, "--create-schema", "--workers", "3"]
    with running(command, environment(**settings), folder, WORKERS_READY) as server:
        yield server


def ops_port(server: Process) -> int:
    return wait_for_lines(server, "The ops port is open", 1)[0]["port"]


def ask(server: Process, method: str, path: str, body: Any = None, token: str | None = TOKEN) -> tuple[int, Any]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", ops_port(server), timeout=20)) as connection:
        return send(connection, method, path, body, token)


def override(server: Process, subject: str, **more: Any) -> dict[str, Any]:
    body = {"limit": "bells.ring/daily", "key": subject, "expires": 600, "reason": "a test", **more}
    status, answer = ask(server, "PUT", "/limits/overrides", body)
    assert status == 200, answer
    return answer["data"]


def ring(server: Process, subject: str) -> tuple[int, Any]:
    """A call on a connection of its own."""
    now = int(time.time())
    token = make_token(SECRET, subject=subject, scopes=[], expires=now + 600, issued=now)
    return server.request("POST", "/api/v1/bells/ring", token=token)


def assert_carries_its_id(port: int, method: str, path: str, status: int) -> None:
    """Each answer names its request, whether something is found at the address or not."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, path, headers={"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        error = json.loads(answer.read()).get("error", {})
    assert (answer.status, len(answer.headers.get_all("x-request-id", []))) == (status, 1)
    assert error.get("requestId") in (None, answer.headers["x-request-id"])


def test_a_process_alone_holds_the_port(tmp_path: Path) -> None:
    with serving(APP, tmp_path, **OPS) as server:
        assert ask(server, "GET", "/limits", token=None)[0] == 401
        assert ask(server, "GET", "/limits", token=TOKEN[::-1])[0] == 401
        status, answer = ask(server, "GET", "/limits")
        assert (status, len(answer["data"]["limits"])) == (200, 5)
        assert answer["data"]["processes"] == [{"worker": None, "pid": server.process.pid, "answered": True}]
        assert ring(server, "usr_1")[0] == 200
        override(server, "usr_1", quantity=0)
        assert ring(server, "usr_1")[0] == 429
        assert ring(server, "usr_2")[0] == 200
        assert [line["reason"] for line in lines(server, "The override of a limit was set")] == ["a test"]
        for method, path, status in (("GET", "/limits", 200), ("GET", "/nothing", 404), ("POST", "/limits", 405)):
            assert_carries_its_id(ops_port(server), method, path, status)
        for method, path, status in (("GET", "/nothing", 404), ("POST", "/health", 405)):
            assert_carries_its_id(server.port, method, path, status)
        assert server.request("GET", "/limits", token=TOKEN)[0] == 404, "it is no part of the API"
        port = ops_port(server)
        assert server.stop() == 0
    with contextlib.closing(socket.socket()) as free:
        assert free.connect_ex(("127.0.0.1", port)) != 0


def test_without_a_token_there_is_no_port(tmp_path: Path) -> None:
    with serving(APP, tmp_path, STERNPOST_OPS_PORT="0") as server:
        assert ring(server, "usr_1")[0] == 200
        assert lines(server, "The ops port is open") == []


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        env = environment(**{**OPS, "STERNPOST_OPS_PORT": str(taken.getsockname()[1]), "STERNPOST_PORT": "0"})
        for more in ([], ["--workers", "2"]):
            refused = subprocess.run(
                [sys.executable, "-m", "sternpost", "serve", APP, *more],
                env=env,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert refused.returncode == 2
            assert "STERNPOST_OPS_PORT" in refused.stderr


def test_the_token_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    with serving(APP, tmp_path, STERNPOST_OPS_TOKEN_FILE=str(file), STERNPOST_OPS_PORT="0") as server:
        assert ask(server, "GET", "/limits")[0] == 200


def test_every_worker_has_an_override_and_one_that_is_restarted_too(tmp_path: Path) -> None:
    with workers(tmp_path) as server:
        told = override(server, "usr_1", quantity=0)
        assert [each["answered"] for each in told["processes"]] == [True, True, True]
        assert {each["pid"] for each in told["processes"]} == set(pids(server).values())
        assert {ring(server, "usr_1")[0] for _ in range(12)} == {429}
        assert ring(server, "usr_2")[0] == 200
        for pid in list(pids(server).values()):
            os.kill(pid, signal.SIGKILL)
        wait_for_lines(server, "Worker started", 6, 120)
        for _ in range(12):  # also at the very first call that they answer
            assert ring(server, "usr_1")[0] == 429
        assert len(lines(server, "The override of a limit was set")) == 1
        assert server.stop() == 0


@pytest.mark.slow
def test_a_worker_that_is_restarted_has_as_many_and_as_long_overrides_as_there_may_be(tmp_path: Path) -> None:
    """Before: what is kept for a worker that does not read yet had no room for all of them, so that it missed some."""
    with workers(tmp_path) as server:
        override(server, "usr_first", quantity=0)
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", ops_port(server), timeout=20)) as connection:
            for number in range(OVERRIDES_MAX - 2):
                key = f"{number}".rjust(KEY_BYTES_MAX - 2, "x")
                body = {"limit": "bells.ring/daily", "key": key, "expires": 600, "reason": "a test", "quantity": 1}
                assert send(connection, "PUT", "/limits/overrides", body, TOKEN)[0] == 200
        override(server, "usr_last", quantity=0)
        for pid in list(pids(server).values()):
            os.kill(pid, signal.SIGKILL)
        wait_for_lines(server, "Worker started", 6, 120)
        for _ in range(12):
            assert (ring(server, "usr_first")[0], ring(server, "usr_last")[0]) == (429, 429)
        assert ring(server, "usr_other")[0] == 200
        assert server.stop() == 0


@pytest.mark.slow
def test_a_stopped_worker_is_not_waited_for_and_hears_of_it_later(tmp_path: Path) -> None:
    with workers(tmp_path, STERNPOST_WORKER_SILENT_SECONDS="60") as server:
        stopped = pids(server)[2]
        os.kill(stopped, signal.SIGSTOP)
        try:
            started = time.monotonic()
            told = override(server, "usr_1", quantity=0)
            assert time.monotonic() - started < 10
            assert {each["worker"]: each["answered"] for each in told["processes"]} == {1: True, 2: False, 3: True}
            status, answer = ask(server, "GET", "/limits")
            assert (status, len(answer["data"]["limits"])) == (200, 5)
        finally:
            os.kill(stopped, signal.SIGCONT)

        def all_answer() -> bool:
            return all(each["answered"] for each in ask(server, "GET", "/limits")[1]["data"]["processes"])

        wait_until(all_answer)
        for _ in range(12):
            assert ring(server, "usr_1")[0] == 429
        assert server.stop() == 0


def levels(answer: Any) -> list[str]:
    return [each["level"] for each in answer["data"]["processes"]]


def set_level(server: Process, level: str, seconds: float) -> Any:
    body = {"level": level, "expires": seconds, "reason": "a test"}
    status, answer = ask(server, "PUT", "/log", body)
    assert status == 200, answer
    return answer


def test_every_worker_logs_at_the_level_that_was_set_and_one_that_is_restarted_too(tmp_path: Path) -> None:
    with workers(tmp_path) as server:
        status, answer = ask(server, "GET", "/log")
        assert (status, levels(answer)) == (200, ["info"] * 3)
        assert (answer["data"]["setting"], answer["data"]["expires"]) == ("info", None)
        assert levels(set_level(server, "debug", 600)) == ["debug"] * 3
        for pid in list(pids(server).values()):
            os.kill(pid, signal.SIGKILL)
        wait_for_lines(server, "Worker started", 6, 120)
        status, answer = ask(server, "GET", "/log")
        assert (status, answer["data"]["level"], levels(answer)) == (200, "debug", ["debug"] * 3)
        assert levels(ask(server, "DELETE", "/log")[1]) == ["info"] * 3
        told = lines(server, "The level of the log was changed")
        assert [(line["level"], line["event"], line["to"], line["reason"]) for line in told] == [
            ("warning", "log level", "debug", "a test"),
            ("warning", "log level", "info", None),
        ]
        assert server.stop() == 0


@pytest.mark.slow
def test_a_level_ends_by_itself_and_is_told_at_every_level(tmp_path: Path) -> None:
    with workers(tmp_path) as server:
        assert levels(set_level(server, "error", 3)) == ["error"] * 3
        ends = time.monotonic() + 3
        while time.monotonic() < ends - 1:
            assert ring(server, "usr_1")[0] in (200, 429)
        assert [line for line in list(server.lines) if "bells.ring" in line] == []
        assert len(lines(server, "The level of the log was changed")) == 1

        def line_comes() -> bool:
            ring(server, f"usr_{time.monotonic()}")
            return bool([line for line in server.lines if "bells.ring" in line])

        wait_until(line_comes)
        assert levels(ask(server, "GET", "/log")[1]) == ["info"] * 3
        assert server.stop() == 0


def test_garbage_on_the_port_does_not_hurt_the_service(tmp_path: Path) -> None:
    with serving(APP, tmp_path, **OPS) as server:
        port, stopped, sent = ops_port(server), threading.Event(), [0]

        def flood(kind: int) -> None:
            garbage = (b"\x16\x03\x01" + bytes(range(256)) * 40, b"GET /limits HTTP/1.1\r\nhost: a\r\n\r\n", b"")[kind]
            while not stopped.is_set():
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as link:
                    link.sendall(garbage)
                    sent[0] += 1
                    if kind:
                        link.recv(1000)

        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        threads = [threading.Thread(target=flood, args=(number % 2,)) for number in range(4)]
        for thread in threads:
            thread.start()
        seconds: list[float] = []
        try:
            while len(seconds) < 60 or (sent[0] <= 100 and len(seconds) < 6000):
                started = time.monotonic()
                assert ring(server, f"usr_{len(seconds)}")[0] == 200
                seconds.append(time.monotonic() - started)
        finally:
            stopped.set()
            for thread in threads:
                thread.join(20)
            for each in idle:
                each.close()
        assert sent[0] > 100
        assert sorted(seconds)[-2] < 1, seconds
        assert len(server.lines) < 200 + len(seconds), "garbage does not fill the log"
        wait_until(lambda: ask(server, "GET", "/limits")[0] == 200)
        assert server.stop() == 0


def test_who_says_nothing_does_not_keep_those_out_who_run_the_service(tmp_path: Path) -> None:
    """Before: silent connections held all places, and others were closed at once until the silent ones had timed out."""
    with serving(APP, tmp_path, **OPS) as server, contextlib.ExitStack() as silent:
        kept = http.client.HTTPConnection("127.0.0.1", ops_port(server), timeout=20)
        silent.enter_context(contextlib.closing(kept))
        assert send(kept, "GET", "/limits", token=TOKEN)[0] == 200
        opened = kept.sock
        for _ in range(3):
            for number in range(CONNECTIONS_MAX):
                each = silent.enter_context(socket.create_connection(("127.0.0.1", ops_port(server))))
                each.sendall(b"GET /limits HTTP/1.1\r\n"[:number])
            assert ask(server, "GET", "/limits")[0] == 200
            assert send(kept, "GET", "/limits", token=TOKEN)[0] == 200
        assert kept.sock is opened, "who has asked keeps its place"
        assert len(established(ops_port(server), server.process.pid)) <= CONNECTIONS_MAX
        assert server.stop() == 0


def established(port: int, pid: int) -> list[str]:
    """The connections of a port that a process holds."""
    held = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return [
        row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01" and f"socket:[{row[9]}]" in held
    ]


@pytest.mark.slow
def test_a_connection_that_says_nothing_ends(tmp_path: Path) -> None:
    """By the rule of the service's own port."""
    with serving(APP, tmp_path, **OPS) as server:
        with socket.create_connection(("127.0.0.1", ops_port(server)), timeout=EDGE.head_seconds + 10) as silent:
            assert silent.recv(1) == b""
        assert server.stop() == 0


def test_commands_speak_to_the_port(tmp_path: Path) -> None:
    with serving(APP, tmp_path, **OPS) as server:

        def run(*arguments: str, token: str = TOKEN, columns: int = 300) -> tuple[int, str]:
            port = str(ops_port(server))
            env = environment(STERNPOST_OPS_TOKEN=token, STERNPOST_OPS_PORT=port, COLUMNS=str(columns))
            done = forks.run(list(arguments), tmp_path, env)
            return done.returncode, done.stdout + done.stderr

        def limits(*arguments: str, **more: Any) -> tuple[int, str]:
            return run("limits", *arguments, **more)

        for columns in (300, 20):
            rows = limits("list", columns=columns)[1].splitlines()
            assert "bells.ring/daily" in [row.split()[0] for row in rows], "it is to be copied"
            assert len(rows) == 6, "each is one line"
        assert limits("overrides")[1] == "no overrides\n"
        how = ("--seconds", "600", "--reason", "a test")
        status, told = limits("override", "bells.ring/daily", "--key", "usr_1", "--quantity", "0", *how)
        assert status == 0, told
        assert ring(server, "usr_1")[0] == 429
        [found] = json.loads(limits("overrides", "--json")[1])
        assert (found["key"], found["quantity"]) == ({"principal": "usr_1"}, 0)
        for columns in (60, 20):
            _, row = limits("overrides", columns=columns)[1].splitlines()
            assert row.split()[:3] == [found["id"], "bells.ring/daily", '{"principal":"usr_1"}'], "to be copied"
        assert limits("restore", found["id"])[0] == 0
        assert ring(server, "usr_1")[0] == 200
        caller = json.dumps({"principal": "usr_2"})
        assert limits("override", "bells.ring/daily", "--key", caller, "--quantity", "0", *how)[0] == 0
        assert ring(server, "usr_2")[0] == 429
        status, told = limits("override", "bells.ring/daily", "--key", "{usr_3", "--quantity", "0", *how)
        assert (status, "is no JSON object" in told) == (2, True)
        status, told = limits("override", "bells.sing/daily", "--key", "usr_1", "--factor", "2", *how)
        assert (status, "There is no limit bells.sing/daily" in told) == (2, True)
        status, told = limits("list", token=TOKEN[::-1])
        assert (status, "not the token" in told) == (2, True)
        assert "info" in run("log-level")[1]
        status, told = run("log-level", "warning", "--seconds", "600", "--reason", "a test")
        assert (status, "warning until" in told) == (0, True)
        assert json.loads(run("log-level", "--json")[1])["processes"][0]["level"] == "warning"
        assert "info (STERNPOST_LOG_LEVEL)" in run("log-level", "--restore")[1]
        for wrong in (("debug",), ("--seconds", "5"), ("debug", "--restore"), ("loud", *how)):
            assert run("log-level", *wrong)[0] == 2, wrong

"""`sternpost serve --workers N`: real workers die, hang, and are replaced under load."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import re
import signal
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.server import Process, pending, send, wait_until
from tests.support.supervised import SERVICE, alive, children, lines, pids, supervised, wait_for_lines, who


class Load:
    """Clients that keep their connections, take no error for an answer and never try a request again."""

    def __init__(self, server: Process) -> None:
        self.server = server
        self.stopped = threading.Event()
        self.failed: list[str] = []
        self.written: list[str] = []
        self.answers = 0
        self.threads = [
            *(threading.Thread(target=self._run, args=(number, 0.0)) for number in range(6)),
            *(threading.Thread(target=self._run, args=(number, 1 + number / 4)) for number in range(4)),
        ]

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join(30)

    def _run(self, number: int, pause_seconds: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        for count in range(10**9):
            if self.stopped.wait(pause_seconds):
                break
            try:
                if (count + number) % 3 == 0:
                    status, body = send(connection, "POST", "/api/v1/notes", {"text": f"{number} {count}"})
                    assert status == 201, body
                    self.written.append(body["data"]["id"].removeprefix("not_"))
                else:
                    status, body = send(connection, "GET", "/api/v1/notes?pageSize=2")
                    assert status == 200, body
                self.answers += 1
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failed.append(repr(error))
                connection.close()
        connection.close()


def test_each_worker_serves_and_all_see_the_same_sqlite_file(tmp_path: Path) -> None:
    with supervised(tmp_path, workers=3) as server:
        seen: set[int] = set()
        created = server.request("POST", "/api/v1/notes", {"text": "a"})[1]["data"]["id"]
        wait_until(lambda: seen.add(who(server)["pid"]) or len(seen) == 3)
        assert seen == set(pids(server).values())
        for _ in range(20):
            assert [note["id"] for note in server.request("GET", "/api/v1/notes")[1]["data"]] == [created]
        assert server.stop() == 0
        assert not any(alive(pid) for pid in seen)
        for message in ("Ready", "Shutting down", "Stopped"):
            found = {line["worker"]: line["pid"] for line in lines(server, message)}
            assert found == pids(server), message
        assert len(lines(server, "Stopped")) == 3


SECRETS = {
    "none": {"STERNPOST_JWT_SECRET": "", "STERNPOST_JWT_JWKS_URL": "http://127.0.0.1:9/keys"},
    "the one of development": {"STERNPOST_JWT_SECRET": "", "STERNPOST_ENV": "development"},
    "a secret key": {
        "STERNPOST_JWT_SECRET": "",
        "STERNPOST_JWT_JWKS_URL": "http://127.0.0.1:9/keys",
        "STERNPOST_SECRET_KEY": "workers-5d1c0f7e2b9a4863c1e0d7f2",
    },
}


def cursors_of(server: Process, workers: set[int]) -> dict[int, str]:
    """What each of the workers calls the same position of the same list, and whether it takes what the others say."""
    found: dict[int, str] = {}

    def ask() -> bool:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
            worker = send(connection, "POST", "/api/v1/notes/who")[1]["data"]["pid"]
            status, page = send(connection, "GET", "/api/v1/notes?pageSize=1")
            assert status == 200
            found[worker] = page["meta"]["nextCursor"]
            for cursor in set(found.values()):
                status, page = send(connection, "GET", f"/api/v1/notes?pageSize=1&cursor={cursor}")
                assert (status, len(page.get("data", ()))) == (200, 1), page
        return workers <= set(found)

    wait_until(ask)
    return {worker: found[worker] for worker in workers}


@pytest.mark.parametrize(
    "secret", ["none", *(pytest.param(name, marks=pytest.mark.slow) for name in list(SECRETS)[1:])]
)
def test_a_cursor_of_one_worker_is_one_of_all(tmp_path: Path, secret: str) -> None:
    """Also where nothing is configured that they have in common, and of those that come later."""
    with supervised(tmp_path, **SECRETS[secret]) as server:
        for text in ("a", "b"):
            assert server.request("POST", "/api/v1/notes", {"text": text})[0] == 201
        first = pids(server)
        cursors = set(cursors_of(server, set(first.values())).values())
        assert len(cursors) == 1
        os.kill(first[1], signal.SIGKILL)
        wait_for_lines(server, "Worker started", 3)
        second = pids(server)
        assert second[1] != first[1]
        assert set(cursors_of(server, set(second.values())).values()) == cursors
        assert server.stop() == 0


@pytest.mark.slow
def test_a_service_without_a_secret_makes_one_at_each_start(tmp_path: Path) -> None:
    cursors: list[set[str]] = []
    for text in ("a", "b", "c"):
        with supervised(tmp_path, **SECRETS["none"]) as server:
            server.request("POST", "/api/v1/notes", {"text": text})
            if text != "a":  # the last of the first page is the same row again
                cursors.append({*cursors_of(server, set(pids(server).values())).values()})
            assert server.stop() == 0
    assert [len(found) for found in cursors] == [1, 1]
    assert cursors[0] != cursors[1]


def test_a_worker_that_is_killed_is_replaced_and_what_waits_at_its_socket_is_served(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = pids(server)
        os.kill(before[1], signal.SIGKILL)
        with ThreadPoolExecutor(16) as threads:  # some of them reach the socket that has nobody at the moment
            answers = list(threads.map(lambda _: server.request("GET", "/health")[0], range(64)))
        assert answers == [200] * 64
        wait_for_lines(server, "Worker started", 3)
        ready = {line["worker"]: line["pid"] for line in lines(server, "Ready") if line["pid"] in before.values()}
        assert ready == before
        died = lines(server, "Worker died")
        assert [(line["worker"], line["pid"], line["reason"], line["level"]) for line in died] == [
            (1, before[1], "it was ended by SIGKILL", "error")
        ]
        assert pids(server)[2] == before[2]
        assert server.stop() == 0


@pytest.mark.slow
def test_a_rolling_restart_under_load_fails_no_request_and_brings_new_code(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = pids(server)
        with Load(server) as load:
            wait_until(lambda: load.answers > 100)
            (tmp_path / "notes.py").write_text(SERVICE.replace('"one"', '"two"'), encoding="utf-8")
            server.process.send_signal(signal.SIGHUP)
            wait_for_lines(server, "Rolling restart finished", 1)
            assert not any(alive(pid) for pid in before.values())
            after = load.answers
            wait_until(lambda: load.answers > after + 100)
            for number in range(1, 4):
                server.process.send_signal(signal.SIGHUP)
                wait_for_lines(server, "Rolling restart finished", 1 + number)
        assert load.failed == []
        assert {who(server)["version"] for _ in range(8)} == {"two"}
        assert server.stop() == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "notes.sqlite")) as database:
        stored = [row[0] for row in database.execute("SELECT id FROM notes")]
    assert sorted(stored) == sorted(load.written)
    assert len(stored) > 50


@pytest.mark.slow
def test_a_retiring_worker_stays_ready_and_closes_with_its_answer(tmp_path: Path) -> None:
    with supervised(tmp_path) as server, ThreadPoolExecutor() as threads:
        idle = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=20) for _ in range(8)]
        for connection in idle:
            assert send(connection, "GET", "/health")[0] == 200
        slow = threads.submit(server.request, "POST", "/api/v1/notes/wait")
        wait_until((tmp_path / "entered").exists)
        server.process.send_signal(signal.SIGHUP)
        server.wait_for('"message":"Retiring"')
        closed = 0
        for connection in idle:
            connection.request("GET", "/health/ready")
            response = connection.getresponse()
            assert (response.status, json.loads(response.read())["status"]) == (200, "healthy")
            closed += response.headers["connection"] == "close"
        assert closed > 0
        (tmp_path / "release").touch()
        assert slow.result(30)[0] == 200
        wait_for_lines(server, "Rolling restart finished", 1)
        for connection in idle:
            connection.close()
        assert server.stop() == 0


@pytest.mark.slow
def test_a_new_worker_that_does_not_start_ends_the_rolling_restart_and_the_old_ones_serve_on(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = pids(server)
        (tmp_path / "broken").touch()
        server.process.send_signal(signal.SIGHUP)
        [given_up] = wait_for_lines(server, "Rolling restart given up", 1)
        reason = "it ended with status 1: notes cannot be imported: it ends the process, with: it is broken"
        assert (given_up["worker"], given_up["reason"]) == (1, reason)
        assert given_up["fix"].endswith("send SIGHUP again. Until then the workers that are left serve on")
        assert pids(server) == before
        assert who(server)["pid"] in before.values()
        (tmp_path / "broken").unlink()
        server.process.send_signal(signal.SIGHUP)
        wait_for_lines(server, "Rolling restart finished", 1)
        assert not set(before.values()) & set(pids(server).values())
        assert server.stop() == 0


@pytest.mark.slow
def test_why_a_new_worker_does_not_start_is_told(tmp_path: Path) -> None:
    """What it says itself, and where it only ends, that."""
    with supervised(tmp_path) as server:
        before = pids(server)
        written = (tmp_path / "notes.py").read_text(encoding="utf-8")
        (tmp_path / "notes.py").write_text(written.replace("browse = Browse(allow=public)", "browse = Browse()"))
        server.process.send_signal(signal.SIGHUP)
        [wrong] = wait_for_lines(server, "Rolling restart given up", 1)
        assert wrong["reason"].startswith("it ended with status 1: The contract has 1 mistake:\n")
        assert "Note.browse" in wrong["reason"]
        (tmp_path / "notes.py").write_text(written.replace('VERSION = "one"', 'raise ValueError("one")'))
        server.process.send_signal(signal.SIGHUP)
        _, failed = wait_for_lines(server, "Rolling restart given up", 2)
        assert failed["reason"].startswith("it ended with status 1: notes cannot be imported\n")
        assert "ValueError: one" in failed["reason"]
        assert pids(server) == before
        assert server.stop() == 0


@pytest.mark.slow
def test_sighup_during_a_rolling_restart_makes_one_more(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        server.process.send_signal(signal.SIGHUP)
        wait_for_lines(server, "Rolling restart started", 1)
        for _ in range(3):
            server.process.send_signal(signal.SIGHUP)
            wait_until(lambda: not pending(server.process.pid, signal.SIGHUP))  # signals that come at once are one
        wait_for_lines(server, "Rolling restart finished", 2)
        assert server.stop() == 0
        assert len(lines(server, "Rolling restart started")) == 2
        assert len(lines(server, "Worker started")) == 6


@pytest.mark.slow
def test_a_worker_that_hangs_at_its_start_is_killed(tmp_path: Path) -> None:
    started = time.monotonic()
    with supervised(tmp_path) as server:
        limit = 2 + round(3 * (time.monotonic() - started))  # more than a start takes on this machine at the moment
        assert server.stop() == 0
    with supervised(tmp_path, STERNPOST_WORKER_START_SECONDS=str(limit)) as server:
        before = pids(server)
        (tmp_path / "hanging").touch()
        server.process.send_signal(signal.SIGHUP)
        [given_up] = wait_for_lines(server, "Rolling restart given up", 1)
        assert given_up["reason"] == f"it was not ready within {limit} s (STERNPOST_WORKER_START_SECONDS)"
        wait_until(lambda: children(server.process.pid) == set(before.values()))
        assert server.stop() == 0


@pytest.mark.slow
def test_a_worker_that_dies_at_each_start_is_tried_again_at_longer_intervals(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = pids(server)
        (tmp_path / "broken").touch()
        os.kill(before[1], signal.SIGKILL)
        failures = wait_for_lines(server, "Worker did not start", 3)
        seconds = [float(re.sub(r".*:(\d\d\.\d+)Z", r"\1", line["timestamp"])) for line in failures]
        first, second = ((later - earlier) % 60 for earlier, later in itertools.pairwise(seconds))
        assert first > 0.5
        assert second > 1.0
        for _ in range(30):  # its socket was taken away: nobody waits for it in vain
            assert who(server)["pid"] == before[2]
        (tmp_path / "broken").unlink()
        wait_for_lines(server, "Worker started", 3)
        assert server.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize("how", ["stopped", "its event loop hangs"])
def test_a_worker_that_gives_no_sign_of_life_is_replaced(tmp_path: Path, how: str) -> None:
    with supervised(tmp_path, STERNPOST_WORKER_SILENT_SECONDS="2") as server, ThreadPoolExecutor() as threads:
        before = pids(server)
        if how == "stopped":
            os.kill(before[1], signal.SIGSTOP)
            hung = before[1]
        else:
            threads.submit(server.request, "POST", "/api/v1/notes/hang")
        [killed] = wait_for_lines(server, "Worker was killed", 1)
        assert "it gave no sign of life for 2 s" in killed["reason"]
        assert how != "stopped" or killed["pid"] == hung
        wait_for_lines(server, "Worker started", 3)
        wait_until(lambda: not alive(killed["pid"]))
        left = set(pids(server).values())
        assert killed["pid"] not in left
        for _ in range(20):
            assert who(server)["pid"] in left
        assert server.stop() == 0


@pytest.mark.slow
def test_a_worker_that_works_is_left_alone(tmp_path: Path) -> None:
    """A supervisor that was stopped itself has heard nothing meanwhile, and kills nobody for that."""
    with supervised(tmp_path, STERNPOST_WORKER_SILENT_SECONDS="2") as server, ThreadPoolExecutor() as threads:
        before = pids(server)
        slow = threads.submit(server.request, "POST", "/api/v1/notes/wait")
        wait_until((tmp_path / "entered").exists)
        server.process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        try:
            while time.monotonic() < started + 4:
                assert server.request("GET", "/api/v1/notes")[0] == 200
        finally:
            server.process.send_signal(signal.SIGCONT)
        while time.monotonic() < started + 7:
            assert server.request("GET", "/api/v1/notes")[0] == 200
        (tmp_path / "release").touch()
        assert slow.result(20)[0] == 200
        assert pids(server) == before
        assert lines(server, "Worker was killed") == []
        assert server.stop() == 0

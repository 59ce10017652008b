"""`sternpost serve --workers N`: real workers die, hang, are replaced under load, and end with their supervisor."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Process, environment, running, send, serving

SERVICE = '''
"""A service whose start a test can break."""
import os, sys, time
from pathlib import Path
from sternpost import Browse, Context, Contract, Create, Custom, Payload, Resource, Sternpost, field, implements, public

VERSION = "one"
if Path("broken").exists() and "worker" in sys.argv:
    sys.exit("it is broken")
while Path("hanging").exists() and "worker" in sys.argv:
    time.sleep(0.05)

class Who(Payload):
    """Who answers."""
    pid: int
    version: str

class Note(Resource, prefix="not"):
    """Something written down."""
    text: str = field(max_length=40)
    browse = Browse(allow=public)
    create = Create(allow=public)
    who = Custom(on="collection", output=Who, allow=public)
    wait = Custom(on="collection", output=Who, allow=public)

@implements(Note.who)
async def who(ctx: Context) -> Who:
    return Who(pid=os.getpid(), version=VERSION)

@implements(Note.wait)
async def wait(ctx: Context) -> Who:
    import asyncio
    Path("entered").touch()
    while not Path("release").exists():
        await asyncio.sleep(0.01)
    return Who(pid=os.getpid(), version=VERSION)

app = Sternpost(Contract("notes", resources=[Note]), services=[who, wait])
'''
SUPERVISOR_READY = r'"message":"Workers are ready".*"port":(\d+)'


@contextlib.contextmanager
def supervised(folder: Path, *options: str, workers: int = 2, **env: str) -> Iterator[Process]:
    (folder / "notes.py").write_text(SERVICE, encoding="utf-8")
    settings = {
        "STERNPOST_DATABASE_URL": f"sqlite:///{folder / 'notes.sqlite'}",
        "STERNPOST_PORT": "0",
        "PYTHONDONTWRITEBYTECODE": "1",  # a test changes the module within the second that a cached file is trusted for
        **env,
    }
    command = ["-m", "sternpost", "serve", "notes:app", "--create-schema", "--workers", str(workers), *options]
    with running(command, environment(**settings), folder, SUPERVISOR_READY) as server:
        try:
            yield server
        finally:
            if server.process.poll() is None:
                server.process.terminate()
                server.process.wait(20)


def lines(server: Process, message: str) -> list[dict[str, Any]]:
    return [
        found for line in list(server.lines) if line[:1] == "{" and (found := json.loads(line))["message"] == message
    ]


def wait_for_lines(server: Process, message: str, count: int, seconds: float = 40) -> list[dict[str, Any]]:
    deadline = time.monotonic() + seconds
    while len(found := lines(server, message)) < count:
        assert time.monotonic() < deadline, f"{message!r} came {len(found)} times in:\n" + "\n".join(server.lines)
        time.sleep(0.02)
    return found


def pids(server: Process) -> dict[int, int]:
    """The process of each worker."""
    return {line["worker"]: line["pid"] for line in lines(server, "Worker started")}


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and that nobody has asked for its status does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Any, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def who(server: Process) -> dict[str, Any]:
    return server.request("POST", "/api/v1/notes/who")[1]["data"]


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
        assert len(lines(server, "Stopped")) == 3


def test_a_worker_that_is_killed_is_replaced_and_what_waits_at_its_socket_is_served(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = pids(server)
        os.kill(before[1], signal.SIGKILL)
        with ThreadPoolExecutor(16) as threads:  # some of them reach the socket that has nobody at the moment
            answers = list(threads.map(lambda _: server.request("GET", "/health")[0], range(64)))
        assert answers == [200] * 64
        wait_for_lines(server, "Worker started", 3)
        died = lines(server, "Worker died")
        assert [(line["worker"], line["pid"], line["reason"], line["level"]) for line in died] == [
            (1, before[1], "it was ended by SIGKILL", "error")
        ]
        assert pids(server)[2] == before[2]
        assert server.stop() == 0


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
            server.process.send_signal(signal.SIGHUP)
            wait_for_lines(server, "Rolling restart finished", 2)
        assert load.failed == []
        assert {who(server)["version"] for _ in range(8)} == {"two"}
        assert server.stop() == 0
    with contextlib.closing(sqlite3.connect(tmp_path / "notes.sqlite")) as database:
        stored = [row[0] for row in database.execute("SELECT id FROM notes")]
    assert sorted(stored) == sorted(load.written)
    assert len(stored) > 50


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


def test_a_new_worker_that_does_not_start_ends_the_rolling_restart_and_the_old_ones_serve_on(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = pids(server)
        (tmp_path / "broken").touch()
        server.process.send_signal(signal.SIGHUP)
        [given_up] = wait_for_lines(server, "Rolling restart given up", 1)
        assert (given_up["worker"], given_up["reason"]) == (1, "it ended with status 1")
        assert pids(server) == before
        assert who(server)["pid"] in before.values()
        (tmp_path / "broken").unlink()
        server.process.send_signal(signal.SIGHUP)
        wait_for_lines(server, "Rolling restart finished", 1)
        assert not set(before.values()) & set(pids(server).values())
        assert server.stop() == 0


def test_sighup_during_a_rolling_restart_makes_one_more(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        server.process.send_signal(signal.SIGHUP)
        wait_for_lines(server, "Rolling restart started", 1)
        for _ in range(3):
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.05)  # signals that come at once are one
        wait_for_lines(server, "Rolling restart finished", 2)
        assert server.stop() == 0
        assert len(lines(server, "Rolling restart started")) == 2
        assert len(lines(server, "Worker started")) == 6


def test_a_worker_that_hangs_at_its_start_is_killed(tmp_path: Path) -> None:
    with supervised(tmp_path, STERNPOST_WORKER_START_SECONDS="4") as server:
        before = pids(server)
        (tmp_path / "hanging").touch()
        server.process.send_signal(signal.SIGHUP)
        [given_up] = wait_for_lines(server, "Rolling restart given up", 1)
        assert given_up["reason"] == "it was not ready within 4 s (STERNPOST_WORKER_START_SECONDS)"
        wait_until(lambda: children(server.process.pid) == set(before.values()))
        assert server.stop() == 0


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


def test_all_workers_drain_at_once(tmp_path: Path) -> None:
    with supervised(tmp_path) as server, ThreadPoolExecutor() as threads:
        slow = threads.submit(server.request, "POST", "/api/v1/notes/wait")
        wait_until((tmp_path / "entered").exists)
        server.process.terminate()
        wait_for_lines(server, "Shutting down", 2)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port), timeout=5)
        assert server.process.poll() is None
        (tmp_path / "release").touch()
        assert slow.result(20)[0] == 200
        assert server.process.wait(20) == 0


def test_a_second_signal_does_not_wait(tmp_path: Path) -> None:
    with supervised(tmp_path) as server, ThreadPoolExecutor() as threads:
        slow = threads.submit(server.request, "POST", "/api/v1/notes/wait")
        wait_until((tmp_path / "entered").exists)
        server.process.terminate()
        wait_for_lines(server, "Shutting down", 2)
        started = time.monotonic()
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(10) == 0
        assert time.monotonic() - started < 5
        assert slow.exception(20) is not None


def test_requests_that_never_end_are_given_up_after_the_limit(tmp_path: Path) -> None:
    with supervised(tmp_path, STERNPOST_SHUTDOWN_SECONDS="1") as server, ThreadPoolExecutor() as threads:
        slow = threads.submit(server.request, "POST", "/api/v1/notes/wait")
        wait_until((tmp_path / "entered").exists)
        started = time.monotonic()
        assert server.stop() == 0
        assert 0.9 < time.monotonic() - started < 8
        assert slow.exception(20) is not None


def test_workers_end_with_their_supervisor_and_finish_what_is_in_flight(tmp_path: Path) -> None:
    with supervised(tmp_path) as server, ThreadPoolExecutor() as threads:
        workers = set(pids(server).values())
        slow = threads.submit(server.request, "POST", "/api/v1/notes/wait")
        wait_until((tmp_path / "entered").exists)
        server.process.kill()
        wait_for_lines(server, "Shutting down", 2)
        (tmp_path / "release").touch()
        assert slow.result(20)[0] == 200
        wait_until(lambda: not any(alive(pid) for pid in workers))


def test_a_worker_that_hangs_at_its_start_ends_with_its_supervisor(tmp_path: Path) -> None:
    with supervised(tmp_path) as server:
        before = set(pids(server).values())
        (tmp_path / "hanging").touch()
        server.process.send_signal(signal.SIGHUP)
        wait_until(lambda: children(server.process.pid) - before)
        every = children(server.process.pid)
        new = next(iter(every - before))
        wait_until(lambda: b"worker" in Path(f"/proc/{new}/cmdline").read_bytes())
        wait_until(lambda: len(list(Path(f"/proc/{new}/task").iterdir())) > 1)  # it listens for its supervisor
        server.process.kill()
        wait_until(lambda: not any(alive(pid) for pid in every))


@pytest.mark.parametrize("delay_seconds", [0.3, 1.0, 1.6])
def test_a_signal_while_they_start_ends_them_with_status_0(tmp_path: Path, delay_seconds: float) -> None:
    (tmp_path / "notes.py").write_text(SERVICE, encoding="utf-8")
    env = environment(STERNPOST_DATABASE_URL=f"sqlite:///{tmp_path / 'x.sqlite'}", STERNPOST_PORT="0")
    command = [sys.executable, "-m", "sternpost", "serve", "notes:app", "--create-schema", "--workers", "2"]
    process = subprocess.Popen(command, env=env, cwd=tmp_path, stdout=subprocess.DEVNULL)
    time.sleep(delay_seconds)  # the moment is what is tried here
    process.terminate()
    assert process.wait(20) == 0


def test_a_first_start_that_fails_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "notes.py").write_text(SERVICE, encoding="utf-8")
    (tmp_path / "broken").touch()
    done = _serve(tmp_path)
    assert done.returncode == 2
    assert "it is broken" in done.stderr
    assert "did not start: it ended with status 1" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_first_start_that_hangs_is_said_clearly(tmp_path: Path) -> None:
    (tmp_path / "notes.py").write_text(SERVICE, encoding="utf-8")
    (tmp_path / "hanging").touch()
    done = _serve(tmp_path, STERNPOST_WORKER_START_SECONDS="1")
    assert done.returncode == 2
    assert "it was not ready within 1 s" in " ".join(done.stderr.split())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_port_in_use_is_said_clearly_also_by_another_supervisor(tmp_path: Path, workers: str) -> None:
    with supervised(tmp_path) as server:
        done = _serve(tmp_path, STERNPOST_PORT=str(server.port), STERNPOST_WORKERS=workers)
        assert done.returncode == 2
        assert f"Cannot listen on 127.0.0.1:{server.port}" in done.stderr
        assert server.stop() == 0


def test_the_setting_starts_workers_and_one_worker_needs_no_supervisor(tmp_path: Path) -> None:
    with serving("shop.app:app", tmp_path, STERNPOST_WORKERS="2") as server:
        server.wait_for("Workers are ready")
        assert server.stop() == 0
    with serving("shop.app:app", tmp_path, "--workers", "1", STERNPOST_WORKERS="2") as server:
        assert children(server.process.pid) == set()
        assert server.stop() == 0


def _serve(folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "STERNPOST_DATABASE_URL": f"sqlite:///{folder / 'notes.sqlite'}",
        "STERNPOST_PORT": "0",
        "STERNPOST_WORKERS": "2",
        **env,
    }
    command = [sys.executable, "-m", "sternpost", "serve", "notes:app", "--create-schema"]
    return subprocess.run(
        command, cwd=folder, env=environment(**settings), capture_output=True, text=True, check=False, timeout=60
    )


def children(pid: int) -> set[int]:
    """The processes that a process has started and that still run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return {int(child) for child in found if alive(int(child))}

"""SIGTERM: the load balancer notices, nobody is reset, what is in flight is finished or told, nothing is half done."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.support.handshake import DeafClient
from tests.support.load import load
from tests.support.rounds import rounds
from tests.support.server import Process, environment, running, send, told_to_go, wait_until
from tests.support.supervised import SUPERVISOR_READY, alive, children, lines

APP = "tests.process.stopping_service:app"
RATE = 200.0


def command(workers: int) -> list[str]:
    return ["-m", "sternpost", "serve", APP, "--create-schema", "--workers", str(workers)]


@contextmanager
def stopping(folder: Path, *, workers: int = 1, **env: str) -> Iterator[Process]:
    settings = {
        "STERNPOST_DATABASE_URL": f"sqlite:///{folder / 'notes.sqlite'}",
        "STERNPOST_PORT": "0",
        "STOPPING_FOLDER": str(folder),
        **env,
    }
    ready = (SUPERVISOR_READY,) if workers > 1 else ()
    with running(command(workers), environment(**settings), folder, *ready) as server:
        yield server


def begin(server: Process, path: str = "/api/v1/notes/hold", method: str = "POST") -> http.client.HTTPConnection:
    """Sends a request, and does not wait for its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request(method, path)
    return connection


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    except TimeoutError:
        return False
    return False


def worst_lines(server: Process) -> list[str]:
    """The lines that are no plain information."""
    return [line for line in server.lines if line[:1] != "{" or json.loads(line)["level"] not in ("info", "warning")]


# -- the load balancer


def test_readiness_falls_first_and_all_else_goes_on_for_the_grace(tmp_path: Path) -> None:
    with stopping(tmp_path, STERNPOST_SHUTDOWN_GRACE_SECONDS="300") as server:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as kept:
            assert send(kept, "GET", "/health/ready")[0] == 200
            server.process.terminate()
            wait_until(lambda: server.request("GET", "/health/ready")[0] == 503)
            assert server.request("GET", "/health/ready")[1]["reason"] == "the service is shutting down"
            assert server.request("GET", "/health")[0] == 200
            assert server.request("POST", "/api/v1/notes", {"text": "late"})[0] == 201
            kept.request("GET", "/api/v1/notes")
            response = kept.getresponse()
            assert (response.status, response.getheader("connection")) == (200, None)
            assert len(json.loads(response.read())["data"]) == 1
        assert not lines(server, "Shutting down")
        started = time.monotonic()
        assert server.stop() == 0  # a second signal does not wait for the grace
        assert time.monotonic() - started < 10
        assert worst_lines(server) == []


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_after_the_grace_it_ends_by_itself(tmp_path: Path, workers: int) -> None:
    with stopping(tmp_path, workers=workers, STERNPOST_SHUTDOWN_GRACE_SECONDS="2") as server:
        started = time.monotonic()
        server.process.terminate()
        wait_until(lambda: server.request("GET", "/health/ready")[0] == 503)
        assert time.monotonic() - started < 2
        assert server.process.wait(20) == 0
        assert time.monotonic() - started >= 2


# -- connections


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody can be kept out")
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_who_has_begun_to_connect_is_served(tmp_path: Path, workers: int) -> None:
    """Before: the handshake ended at a closed socket, and the client was reset."""
    with stopping(tmp_path, workers=workers) as server:
        clients = [DeafClient(server.port) for _ in range(4)]
        server.process.terminate()
        server.wait_for('"message":"Shutting down"')
        for client in clients:
            client.listen()
        for client in clients:
            client.socket.settimeout(20)
            wait_until(lambda client=client: connected(client.socket))
            client.socket.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = client.socket.recv(4096)
            assert answer.startswith(b"HTTP/1.1 200"), answer
            assert b"connection: close" in answer.lower()
            client.socket.close()
        assert server.process.wait(20) == 0


def connected(client: socket.socket) -> bool:
    try:
        client.getpeername()
    except OSError:
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0, "it was refused or reset"
        return False
    return True


@rounds(1, 12)
@pytest.mark.parametrize("workers", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_a_load_of_plain_clients_sees_answers_until_it_is_refused(tmp_path: Path, workers: int, rounds: int) -> None:
    answered = refused = 0
    for number in range(rounds):
        folder = tmp_path / str(number)
        folder.mkdir()
        with (
            stopping(folder, workers=workers) as server,
            load(server.port, "/api/v1/notes", rate=RATE, until_refused=True) as clients,
        ):
            clients.wait_for(100)
            assert server.stop() == 0
            clients.process.wait(40)
        assert set(clients.kinds) == {"ok", "refused"}, clients.kinds
        assert worst_lines(server) == []
        answered, refused = answered + clients.kinds["ok"], refused + clients.kinds["refused"]
    print(f"{workers} workers, {rounds} stops: {answered} answered, {refused} refused, none failed in another way")


def test_an_idle_connection_is_kept_for_one_more_request(tmp_path: Path) -> None:
    """Before: it was closed at once, and a request that was on its way failed."""
    with stopping(tmp_path) as server:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        assert send(kept, "GET", "/api/v1/notes")[0] == 200
        connection = kept.sock
        server.process.terminate()
        server.wait_for('"message":"Shutting down"')
        wait_until(lambda: refuses(server.port))
        assert kept.sock is connection
        kept.request("POST", "/api/v1/notes", json.dumps({"text": "last"}), {"content-type": "application/json"})
        response = kept.getresponse()
        assert (response.status, response.getheader("connection")) == (201, "close")
        response.read()
        kept.close()
        assert server.process.wait(20) == 0


@pytest.mark.slow
def test_an_idle_connection_is_not_kept_for_longer_than_ever(tmp_path: Path) -> None:
    with stopping(tmp_path) as server:
        silent = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        assert send(kept, "GET", "/api/v1/notes")[0] == 200
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started < 10
        assert silent.recv(10) == b""
        silent.close()
        kept.close()


def test_who_presses_ctrl_c_does_not_wait_for_idle_connections(tmp_path: Path) -> None:
    with stopping(tmp_path) as server:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        assert send(kept, "GET", "/api/v1/notes")[0] == 200
        started = time.monotonic()
        assert server.stop(signal.SIGINT) == 0
        assert time.monotonic() - started < 4.5
        kept.close()


# -- what is in flight


async def rows(url: str) -> list[str]:
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            return [row[0] for row in database.execute("SELECT text FROM notes")]
    connection = await asyncpg.connect(url)
    try:
        return [row["text"] for row in await connection.fetch("SELECT text FROM notes")]
    finally:
        await connection.close()


async def test_a_transaction_that_ends_in_time_is_committed(tmp_path: Path, database_url: str) -> None:
    with stopping(tmp_path, STERNPOST_DATABASE_URL=database_url) as server, ThreadPoolExecutor() as threads:
        held = threads.submit(server.request, "POST", "/api/v1/notes/hold")
        wait_until((tmp_path / "entered").exists)
        server.process.terminate()
        server.wait_for('"message":"Shutting down"')
        (tmp_path / "release").touch()
        assert held.result(20)[0] == 200
        assert server.process.wait(20) == 0
        assert worst_lines(server) == []
    assert await rows(database_url) == ["held"]


@pytest.mark.parametrize(
    ("operation", "method"),
    [("hold", "POST"), pytest.param("hold-briefly", "POST", marks=pytest.mark.slow), ("look", "GET")],
)
async def test_what_does_not_end_in_time_is_undone_and_told(
    tmp_path: Path, database_url: str, operation: str, method: str
) -> None:
    """Also one with a short time limit of its own. Before: the connection was closed without a word, or a 500 sent."""
    with stopping(tmp_path, STERNPOST_DATABASE_URL=database_url, STERNPOST_SHUTDOWN_SECONDS="0.5") as server:
        connection = begin(server, f"/api/v1/notes/{operation}", method)
        wait_until((tmp_path / "entered").exists)
        started = time.monotonic()
        server.process.terminate()
        response = connection.getresponse()
        assert told_to_go((response.status, json.loads(response.read())))
        assert (response.getheader("retry-after"), response.getheader("connection")) == ("1", "close")
        assert server.process.wait(20) == 0
        assert 0.5 <= time.monotonic() - started < 4
        connection.close()
        assert not [line for line in server.lines if "Traceback" in line or "ASGI" in line]
    assert await rows(database_url) == []


async def test_a_second_signal_undoes_and_tells_at_once(tmp_path: Path, database_url: str) -> None:
    with stopping(tmp_path, STERNPOST_DATABASE_URL=database_url) as server:
        connection = begin(server)
        wait_until((tmp_path / "entered").exists)
        server.process.terminate()
        server.wait_for('"message":"Shutting down"')
        server.process.terminate()
        response = connection.getresponse()
        assert told_to_go((response.status, json.loads(response.read())))
        connection.close()
        assert server.process.wait(10) == 0
        assert lines(server, "Stopped")  # with its pools closed
    assert await rows(database_url) == []


class Writers:
    """Clients that write one row after the other, each with a text of its own, until they are refused."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.told: dict[str, str] = {}
        """What became of each text: `ok`, `fail` (nothing was carried out) or `unknown`."""

    def run(self, client: int) -> None:
        for count in range(10**6):
            text = f"{client} {count}"
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            try:
                status, body = send(connection, "POST", "/api/v1/notes", {"text": text})
            except ConnectionRefusedError:
                self.told[text] = "fail"
                return
            except (OSError, http.client.HTTPException):
                self.told[text] = "unknown"
                continue
            finally:
                connection.close()
            self.told[text] = "ok" if status == 201 else "fail" if told_to_go((status, body)) else "unknown"

    def of(self, kind: str) -> set[str]:
        return {text for text, told in self.told.items() if told == kind}


@rounds(1, 8)
async def test_writes_that_a_stop_leaves_no_time_for_are_told_the_truth(
    tmp_path: Path, database_url: str, rounds: int
) -> None:
    """Nothing is lost that was acknowledged, and nothing is there that was said to be undone."""
    writers = Writers(0)
    for number in range(rounds):
        env = {"STERNPOST_DATABASE_URL": database_url, "STERNPOST_SHUTDOWN_SECONDS": "0"}
        with stopping(tmp_path, **env) as server, ThreadPoolExecutor(16) as threads:
            writers.port = server.port
            clients = [threads.submit(writers.run, 16 * number + client) for client in range(16)]
            before = len(writers.told)
            wait_until(lambda before=before: len(writers.told) > before + 50)
            assert server.stop() == 0
            for client in clients:
                client.result(40)
    stored = await rows(database_url)
    assert len(stored) == len(set(stored))
    assert writers.of("ok") <= set(stored)
    assert not writers.of("fail") & set(stored)
    counts = {kind: len(writers.of(kind)) for kind in ("ok", "fail", "unknown")}
    print(f"{rounds} stops without time: {counts}, {len(stored)} rows")


def test_a_request_that_still_arrives_is_refused_at_the_end(tmp_path: Path) -> None:
    with stopping(tmp_path, STERNPOST_SHUTDOWN_SECONDS="0.5") as server:
        with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
            client.sendall(
                b"POST /api/v1/notes HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 20\r\nExpect: 100-continue\r\n\r\n"
            )
            assert b"100 Continue" in client.recv(4096)  # its head was read
            client.sendall(b'{"text":')
            assert server.stop() == 0
            assert client.recv(4096).startswith(b"HTTP/1.1 503")
        assert worst_lines(server) == []
    with closing(sqlite3.connect(tmp_path / "notes.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM notes").fetchone() == (0,)


MANY = 60_000


@pytest.mark.parametrize("ends", ["in time", "too late"])
def test_an_export_is_finished_or_visibly_cut(tmp_path: Path, ends: str) -> None:
    limit = "30" if ends == "in time" else "0.5"
    with stopping(tmp_path, STERNPOST_SHUTDOWN_SECONDS=limit) as server:
        with closing(sqlite3.connect(tmp_path / "notes.sqlite")) as database:
            database.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                "INSERT INTO notes (id, text) SELECT printf('%032x', i), printf('%0400d', i) FROM n",
                (MANY,),
            )
            database.commit()
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("GET", "/api/v1/notes", headers={"Accept": "application/x-ndjson"})
        response = connection.getresponse()
        assert response.status == 200
        first = response.read(1000)
        if ends == "in time":
            server.process.terminate()
            server.wait_for('"message":"Shutting down"')
            assert (first + response.read()).count(b"\n") == MANY
            assert server.process.wait(20) == 0
            assert worst_lines(server) == []
        else:
            assert server.stop() == 0
            with pytest.raises((http.client.IncompleteRead, ConnectionResetError)):
                response.read()
        connection.close()
        assert not [line for line in server.lines if "Traceback" in line or "ASGI" in line]


# -- the start


@pytest.mark.parametrize(("how", "entered"), [("start slowly", "starting"), ("start in a thread", "entered")])
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_signal_during_a_start_that_takes_long_ends_it_at_once(
    tmp_path: Path, workers: int, how: str, entered: str
) -> None:
    """Before: it waited for the start, and for a thread of it."""
    (tmp_path / how).touch()
    env = environment(
        STERNPOST_DATABASE_URL=f"sqlite:///{tmp_path / 'notes.sqlite'}",
        STERNPOST_PORT="0",
        STOPPING_FOLDER=str(tmp_path),
        STERNPOST_SHUTDOWN_SECONDS="1",
    )
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, *command(workers)], env=env, stdout=output, stderr=output)
    try:
        wait_until((tmp_path / entered).exists, 60)
        started = children(process.pid)
        process.terminate()
        assert process.wait(5) == 0
        assert not any(alive(pid) for pid in started)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    said = log.read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert '"level":"error"' not in said


# -- the end


CUT = "What was still running was cut off"


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("operation", "named"),
    [
        ("hold-thread", r"thread \w+_0: work \(stopping_service.py:\d+\)"),
        ("ignore", r"never_end \(stopping_service"),
    ],
)
def test_what_does_not_end_at_all_is_cut_off_and_named(
    tmp_path: Path, operation: str, named: str, workers: int
) -> None:
    """Before: the process went on after it had said that it has stopped, until somebody killed it."""
    with stopping(tmp_path, workers=workers, STERNPOST_SHUTDOWN_SECONDS="0.5") as server:
        connection = begin(server, f"/api/v1/notes/{operation}")
        wait_until((tmp_path / "entered").exists)
        assert server.stop() == 0
        connection.close()
        [line] = lines(server, CUT)
        assert any(re.search(named, each) for each in line["running"]), line
        assert not lines(server, "Worker was killed")
        assert len(lines(server, "Stopped")) == workers


def test_a_thread_that_nobody_waits_for_has_the_time_of_requests(tmp_path: Path) -> None:
    with stopping(tmp_path) as server:
        assert server.request("POST", "/api/v1/notes/leave-thread")[0] == 200
        wait_until((tmp_path / "entered").exists)
        server.process.send_signal(signal.SIGINT)
        server.wait_for('"message":"Stopped"')
        (tmp_path / "release").touch()
        assert server.process.wait(20) == 0
        assert not lines(server, CUT)
    assert (tmp_path / "worked").exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_signal_does_not_wait_for_threads(tmp_path: Path, workers: int) -> None:
    with stopping(tmp_path, workers=workers) as server:
        assert server.request("POST", "/api/v1/notes/leave-thread")[0] == 200
        wait_until((tmp_path / "entered").exists)
        server.process.send_signal(signal.SIGINT)
        server.wait_for('"message":"Stopped"')
        wait_until(lambda: len(lines(server, "Stopped")) == workers)
        started = time.monotonic()
        server.process.terminate()
        assert server.process.wait(20) == 0
        assert time.monotonic() - started < 3
        assert len(lines(server, CUT)) == 1
        assert not lines(server, "Worker was killed")


@pytest.mark.slow
def test_a_second_signal_does_not_wait_for_the_application_to_stop(tmp_path: Path) -> None:
    (tmp_path / "stop slowly").touch()
    with stopping(tmp_path) as server:
        server.process.terminate()
        wait_until((tmp_path / "stopping").exists)
        started = time.monotonic()
        server.process.terminate()
        assert server.process.wait(20) == 0
        assert time.monotonic() - started < 5
        assert lines(server, "The application was given up while it stopped")

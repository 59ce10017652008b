"""Clients that send heads without end, or take their time: each is answered where it can be, and its connection ends."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import Process, send, serving, wait_until

HOST = b"host: localhost\r\n"
JSON = b"content-type: application/json\r\n"
JOB = b"POST /api/v1/jobs HTTP/1.1\r\n" + HOST + JSON
HEAD_BYTES_MAX = 65_536
ENOUGH = 8_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("impatient")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Process]:
    """One with limits of a second, which all tests share."""
    limits = {"STERNPOST_HEAD_SECONDS": "1", "STERNPOST_BODY_SECONDS": "1", "STERNPOST_BODY_BYTES_A_SECOND": "1024"}
    with serving("tests.process.impatient_service:app", folder, SLOW_FOLDER=str(folder), **limits) as server:
        yield server


def connect(server: Process) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=20)


def answer(opened: socket.socket) -> tuple[int, dict[str, str], Any]:
    """The status, the headers and the error of the answer on a connection, which ends with it."""
    content = bytearray()
    while chunk := opened.recv(65_536):
        content += chunk
    head, _, body = bytes(content).partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split(" ")[1]), headers, json.loads(body)["error"]


def flood(opened: socket.socket, start: bytes, more: bytes) -> int:
    """Sends `more` again and again until the connection ends; the bytes that were taken."""
    sent = 0
    try:
        opened.sendall(start)
        while sent < ENOUGH:
            opened.sendall(more)
            sent += len(more)
    except (BrokenPipeError, ConnectionResetError):
        pass
    return sent


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"GET /", b"a" * 1000),
        (b"GET / HTTP/1.1\r\n" + HOST + b"x: ", b"a" * 1000),
        (b"GET / HTTP/1.1\r\n" + HOST + b"x", b"a" * 1000),
        (b"GET / HTTP/1.1\r\n" + HOST, b"x: y\r\n" * 200),
        (JOB + b"transfer-encoding: chunked\r\n\r\n2;x=", b"a" * 1000),
        (JOB + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"x: y\r\n" * 200),
        (b"GET / HTTP/1.1\r\n" + HOST + b"\r\nGET / HTTP/1.1\r\nx: ", b"a" * 1000),
    ],
    ids=["address", "header", "name", "lines", "chunk", "trailers", "second"],
)
def test_a_head_without_end_is_cut_off(server: Process, start: bytes, more: bytes) -> None:
    with closing(connect(server)) as opened:
        assert flood(opened, start, more) < ENOUGH
    assert server.request("GET", "/health")[0] == 200


def head_of(size: int) -> bytes:
    """A whole request of so many bytes."""
    start, end = b"GET /health HTTP/1.1\r\n" + HOST + b"connection: close\r\nx: ", b"\r\n\r\n"
    return start + b"a" * (size - len(start) - len(end)) + end


@pytest.mark.parametrize("piece", [1 << 20, 999])
def test_a_head_has_at_most_64_kib(server: Process, piece: int) -> None:
    for size in (HEAD_BYTES_MAX, HEAD_BYTES_MAX + 1):
        with closing(connect(server)) as opened:
            head = head_of(size)
            for start in range(0, size, piece):
                opened.sendall(head[start : start + piece])
            if size == HEAD_BYTES_MAX:
                assert opened.recv(100).startswith(b"HTTP/1.1 200 ")
                continue
            status, headers, error = answer(opened)
            assert (status, error["code"]) == (431, "HEADERS_TOO_LARGE")
            assert headers["connection"] == "close"
            assert headers["x-request-id"] == error["requestId"]


def test_a_long_body_behind_a_head_is_no_head(server: Process) -> None:
    body = json.dumps({"name": "a" * 500_000})
    assert server.request("POST", "/api/v1/jobs", json.loads(body))[0] == 400  # too long a name, no more than that


@pytest.mark.parametrize(("count", "expected"), [(100, 200), (101, 431), (5000, 431)])
def test_a_head_has_at_most_100_headers(server: Process, count: int, expected: int) -> None:
    lines = HOST + b"connection: close\r\n" + b"x: y\r\n" * (count - 2)
    with closing(connect(server)) as opened:
        opened.sendall(b"GET /health HTTP/1.1\r\n" + lines + b"\r\n")
        if expected == 200:
            assert opened.recv(100).startswith(b"HTTP/1.1 200 ")
            return
        status, headers, error = answer(opened)
    assert (status, error["code"], headers["connection"]) == (431, "HEADERS_TOO_LARGE", "close")
    assert json.loads(server.wait_for(rf".*{error['requestId']}.*").group(0))["errorCode"] == "HEADERS_TOO_LARGE"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /hea",
        JOB + b'content-length: 20\r\n\r\n{"name":',
        *(
            pytest.param(sent, marks=pytest.mark.slow)
            for sent in (
                b"GET /health HTTP/1.1\r\n" + HOST,
                JOB + b"content-length: 20\r\n\r\n",
                JOB + b"transfer-encoding: chunked\r\n\r\n5\r\n{",
                JOB + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: ",
            )
        ),
        b"GET /health HTTP/1.1\r\n" + HOST + b"connection: keep-alive\r\n\r\nGET /hea",
    ],
)
def test_half_a_request_is_answered_with_408(server: Process, sent: bytes) -> None:
    with closing(connect(server)) as opened:
        started = time.monotonic()
        opened.sendall(sent)
        if b"keep-alive" in sent:
            assert opened.recv(10_000).startswith(b"HTTP/1.1 200 ")
        status, headers, error = answer(opened)
        assert 0.9 < time.monotonic() - started < 10
    assert (status, error["code"], headers["connection"]) == (408, "REQUEST_TIMEOUT", "close")
    assert server.request("GET", "/health")[0] == 200


def test_a_connection_that_sends_nothing_is_closed(server: Process) -> None:
    with closing(connect(server)) as opened:
        started = time.monotonic()
        assert opened.recv(100) == b""
        assert 0.9 < time.monotonic() - started < 10


@pytest.mark.slow
@pytest.mark.parametrize("before", [b"", b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"], ids=["new", "idle"])
def test_empty_lines_keep_no_connection_open(server: Process, before: bytes) -> None:
    with closing(connect(server)) as opened:
        started = time.monotonic()
        opened.settimeout(0.1)
        opened.sendall(before)
        while time.monotonic() - started < 15:
            try:
                opened.sendall(b"\r\n")
                if opened.recv(10_000) == b"":
                    return
            except TimeoutError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                return
    pytest.fail("it stayed open")


def trickle(opened: socket.socket, pieces: int, size: int, pause: float) -> None:
    """Sends a body in pieces with pauses: what is tested is a client that is slow."""
    body = json.dumps({"name": "a" * (pieces * size - 12)}).encode()
    opened.sendall(JOB + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body))
    for start in range(0, len(body), size):
        opened.sendall(body[start : start + size])
        time.sleep(pause)


def test_a_body_may_take_long_as_long_as_it_keeps_coming(server: Process) -> None:
    with closing(connect(server)) as opened:
        trickle(opened, 30, 1000, 0.1)  # three seconds, at ten times the least pace
        assert answer(opened)[2]["code"] == "VALIDATION_ERROR"


def test_a_body_that_trickles_is_not_waited_for(server: Process) -> None:
    with closing(connect(server)) as opened:
        started = time.monotonic()
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            trickle(opened, 200, 10, 0.1)
        assert time.monotonic() - started < 10


def test_the_rest_of_a_body_that_nobody_reads_is_not_waited_for(server: Process) -> None:
    with closing(connect(server)) as opened:
        opened.sendall(b"POST /sink HTTP/1.1\r\n" + HOST + b"content-length: 100000\r\n\r\n")
        assert opened.recv(10_000).startswith(b"HTTP/1.1 200 ")
        assert opened.recv(100) == b""


def test_time_in_which_the_client_has_to_wait_does_not_count(server: Process, folder: Path) -> None:
    """Half a request behind one that is not answered yet: both get their answer."""
    with closing(connect(server)) as opened:
        opened.sendall(b"POST /api/v1/jobs/wait HTTP/1.1\r\n" + HOST + b"content-length: 0\r\n\r\nGET /hea")
        wait_until((folder / "entered").exists)
        time.sleep(2)  # twice the limit
        (folder / "release").touch()
        assert opened.recv(10_000).startswith(b"HTTP/1.1 200 ")
        opened.sendall(b"lth HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n")
        assert opened.recv(10_000).startswith(b"HTTP/1.1 200 ")


def test_each_request_of_a_connection_has_its_own_time(server: Process) -> None:
    """Half of each is there when the one before is answered, so that there is always one on its way."""
    with closing(connect(server)) as opened:
        opened.sendall(b"GET /hea")
        for _ in range(7):
            time.sleep(0.5)  # half of the limit
            opened.sendall(b"lth HTTP/1.1\r\n" + HOST + b"\r\nGET /hea")
            assert opened.recv(10_000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "asked", [b"1.1\r\n" + HOST + b"connection: close\r\n\r\n", b"1.0\r\n\r\n"], ids=["1.1", "1.0"]
)
def test_a_connection_ends_with_its_answer_where_the_client_wants_that(server: Process, asked: bytes) -> None:
    with closing(connect(server)) as opened:
        opened.settimeout(3)  # an idle connection stays open for longer
        opened.sendall(b"GET /health HTTP/" + asked)
        content = b""
        while chunk := opened.recv(65_536):
            content += chunk
        assert content.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nconnection: close\r\n" in content


def test_idle_connections_stay_open_as_long_as_before(server: Process) -> None:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection:
        assert send(connection, "GET", "/health")[0] == 200
        opened = connection.sock
        time.sleep(3)
        assert send(connection, "GET", "/health")[0] == 200
        assert connection.sock is opened


@pytest.mark.slow
def test_many_slow_clients_end_together(server: Process) -> None:
    def half(number: int) -> int:
        with closing(connect(server)) as opened:
            opened.sendall(JOB + b"content-length: 20\r\n\r\n{")
            return answer(opened)[0]

    with ThreadPoolExecutor(50) as threads:
        assert set(threads.map(half, range(200))) == {408}


@pytest.mark.parametrize("packets", [1, 2])
def test_what_stands_behind_a_chunked_body_is_no_header(server: Process, packets: int) -> None:
    """RFC 9110, 6.5.1. A proxy has checked the head alone, and what counts must not depend on packets."""
    first = JOB + b'connection: close\r\ntransfer-encoding: chunked\r\n\r\nc\r\n{"name":"x"}\r\n'
    last = b"0\r\nhost: other.example\r\naccept: image/png\r\nauthorization: Bearer x\r\n\r\n"
    with closing(connect(server)) as opened:
        for sent in [first + last] if packets == 1 else [first, last]:
            opened.sendall(sent)
        assert opened.recv(100).startswith(b"HTTP/1.1 201 ")


def test_what_is_told_of_a_late_body_is_told_once_with_its_id(server: Process) -> None:
    with closing(connect(server)) as opened:
        opened.sendall(JOB + b'content-length: 20\r\n\r\n{"name":')
        status, _, error = answer(opened)
    assert status == 408
    server.wait_for(rf'.*"requestId":"{error["requestId"]}".*"status":408.*')
    about = [json.loads(line) for line in server.lines if error["requestId"] in line]
    assert {line["errorCode"] for line in about} == {"REQUEST_TIMEOUT"}


def test_what_is_told_of_half_a_head_carries_its_id(server: Process) -> None:
    with closing(connect(server)) as opened:
        opened.sendall(b"GET /hea")
        _, _, error = answer(opened)
    line = json.loads(server.wait_for(rf'.*"requestId":"{error["requestId"]}".*').group(0))
    assert (line["status"], line["errorCode"]) == (408, "REQUEST_TIMEOUT")

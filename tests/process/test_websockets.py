"""WebSockets reach mounted applications alone, are counted as connections, and end with the service."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.server import Process, serving, wait_until
from tests.support.wire import Wire

APP = "tests.process.edge_service:app"
HANDSHAKE = (
    b"host: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving(APP, tmp_path_factory.mktemp("sockets"), STERNPOST_TRUSTED_PROXIES="127.0.0.9") as server:
        yield server


def opened(server: Process, path: str = "/sockets/room", **more: str) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{server.port}{path}", additional_headers=more, proxy=None)


def test_a_mounted_application_has_websockets(server: Process) -> None:
    with opened(server, "/sockets/room%20one?a=b") as socket:
        told = json.loads(socket.recv())
        assert (told["path"], told["root_path"], told["scheme"]) == ("/sockets/room one", "/sockets", "ws")
        for message in ("text", b"bytes", "x" * 500_000):
            socket.send(message)
            assert socket.recv() == message
    wait_until(lambda: "/sockets/room one 1000" in server.request("GET", "/sockets/left")[1])


@pytest.mark.parametrize(
    "path",
    ["/", "/health", "/api/v1/notes", "/socketsx", "/none", "/sockets/refused", "/docs", "/sockets" + "/x" * 4000],
)
def test_everything_else_is_refused_before_the_handshake(server: Process, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(server, path):
        pass
    assert refused.value.response.status_code == (431 if len(path) > 8000 else 403)


def test_an_application_that_fails_is_told(server: Process) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(server, "/sockets/fails"):
        pass
    assert refused.value.response.status_code == 500
    line = json.loads(server.wait_for(r'.*"stack".*').group(0))
    assert line["requestId"] == refused.value.response.headers["x-request-id"]


@pytest.mark.slow
def test_a_request_before_and_an_idle_time_after_change_nothing(server: Process) -> None:
    """The connection was one of HTTP that would be closed when it is idle."""
    with Wire.to(server.port) as wire:
        wire.send(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert wire.answer().status == 200
        wire.send(b"GET /sockets/idle HTTP/1.1\r\n" + HANDSHAKE + b"\r\n")
        assert wire._until(b"\r\n\r\n").startswith(b"HTTP/1.1 101 ")
        wire._exactly(2)
        time.sleep(7)  # longer than an idle connection stays open
        wire.send(b"\x81\x81\0\0\0\0x")  # a text of one character
        wait_until(lambda: wire._more() and wire.received.endswith(b"\x81\x01x"))


def test_a_handshake_cannot_come_before_an_earlier_answer(server: Process) -> None:
    """Its answer would get between the messages."""
    with Wire.to(server.port) as wire:
        wire.send(
            b"GET /answers/big HTTP/1.1\r\nhost: localhost\r\n\r\nGET /sockets/x HTTP/1.1\r\n" + HANDSHAKE + b"\r\n"
        )
        assert len(wire.answer().body) == 8_000_000
        assert wire.answer().code == "MALFORMED_REQUEST"


@pytest.mark.parametrize(
    ("line", "more", "body"),
    [
        (b"POST /echo/x HTTP/1.1", b"", b""),
        (b"POST /echo/x HTTP/1.1", b"content-length: 5\r\n", b"hello"),
        (b"GET /echo/x HTTP/1.1", b"content-length: 5\r\n", b"hello"),
        (b"GET /echo/x HTTP/1.1", b"transfer-encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
        (b"GET /echo/x HTTP/1.0", b"", b""),
    ],
)
def test_what_is_no_handshake_is_an_ordinary_request(server: Process, line: bytes, more: bytes, body: bytes) -> None:
    with Wire.to(server.port) as wire:
        wire.send(line + b"\r\n" + HANDSHAKE + more + b"\r\n" + body)
        answer = wire.answer()
        assert (answer.status, answer.json["body"]) == (200, "hello" if body else "")
        assert wire.ended()


@pytest.mark.parametrize("more", [b"x: " + b"a" * 9000 + b"\r\n", b"x: y\r\n" * 130])
def test_a_head_that_is_too_large_does_not_keep_the_connection(server: Process, more: bytes) -> None:
    with Wire.to(server.port) as wire:
        wire.send(b"GET /sockets/x HTTP/1.1\r\n" + HANDSHAKE + more + b"\r\n")
        assert wire.answer().code == "HEADERS_TOO_LARGE"


def test_a_wrong_handshake_is_refused(server: Process) -> None:
    for wrong in (HANDSHAKE.replace(b"version: 13", b"version: 12"), HANDSHAKE.replace(b"dGhl", b"!")):
        with Wire.to(server.port) as wire:
            wire.send(b"GET /sockets/x HTTP/1.1\r\n" + wrong + b"\r\n")
            assert wire.answer().status in (400, 426)
            assert wire.ended()
    with Wire.to(server.port) as wire:
        wire.send(b"GET /sockets/x HTTP/1.1\r\nhost: b\r\n" + HANDSHAKE + b"\r\n")
        assert wire.answer().status in (400, 403)


def test_they_count_as_connections(tmp_path: Path) -> None:
    limits = {"STERNPOST_CONNECTIONS_PER_ADDRESS_MAX": "2"}
    with serving(APP, tmp_path, **limits) as server:
        for _ in range(3):  # what ended does not count
            with opened(server), opened(server, "/sockets/two"), Wire.to(server.port) as wire:
                assert wire.answer().code == "TOO_MANY_CONNECTIONS"
            wait_until(lambda: server.request("GET", "/sockets/left")[0] == 200)
        for _ in range(5):
            with pytest.raises(InvalidStatus), opened(server, "/none"):
                pass
        assert server.request("GET", "/health")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_they_end_with_the_service(tmp_path: Path, number: signal.Signals) -> None:
    with serving(APP, tmp_path, STERNPOST_SHUTDOWN_GRACE_SECONDS="0") as server, opened(server) as socket:
        socket.recv()
        started = time.monotonic()
        server.process.send_signal(number)
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(timeout=20)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1012
        assert server.process.wait(20) == 0
        assert time.monotonic() - started < 10
    server.wait_for('"message":"Stopped"')


def test_behind_a_prefix_the_path_includes_it(tmp_path: Path) -> None:
    with (
        serving(APP, tmp_path, STERNPOST_ROOT_PATH="/inner") as server,
        opened(server, "/inner/sockets/room") as socket,
    ):
        told = json.loads(socket.recv())
        assert (told["path"], told["root_path"]) == ("/inner/sockets/room", "/inner/sockets")


def test_the_address_is_the_client_s_behind_a_trusted_proxy(tmp_path: Path) -> None:
    with serving(APP, tmp_path, STERNPOST_TRUSTED_PROXIES="127.0.0.1") as server:
        forwarded = {"x-forwarded-for": "203.0.113.9", "x-forwarded-proto": "https"}
        with opened(server, **forwarded) as socket:
            told = json.loads(socket.recv())
            assert (told["client"][0], told["scheme"]) == ("203.0.113.9", "wss")
        with pytest.raises(InvalidStatus), opened(server, **{"x-forwarded-for": "nobody"}):
            pass

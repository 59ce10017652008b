"""Other ASGI servers serve the application, too: limits that need no connection hold there, and the log names the
others."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from sternpost.protocols.http.edge import LEFT_TO_SERVER
from tests.support.postgres import free_port
from tests.support.server import Process, environment, running, wait_until
from tests.support.wire import Wire

HOST = b"host: localhost\r\n"
JSON = b"content-type: application/json\r\n"


@pytest.fixture(scope="module", params=["uvicorn", "hypercorn"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder, port = tmp_path_factory.mktemp("other"), free_port()
    env = environment(
        STERNPOST_DATABASE_URL=f"sqlite:///{folder / 'other.sqlite'}",
        STERNPOST_HEADERS_MAX="20",
        STERNPOST_URL_BYTES_MAX="1000",
        STERNPOST_MAX_BODY_BYTES="2000",
    )
    arguments = ["-m", "tests.process.other_server", request.param, str(port)]
    with running(arguments, env, folder, ready=r"port (\d+)") as server:
        wait_until(lambda: _accepts(port))
        yield server


def _accepts(port: int) -> bool:
    try:
        with Wire.to(port):
            return True
    except ConnectionRefusedError:
        return False


def test_the_log_names_what_is_left_to_it(server: Process) -> None:
    (line,) = [line for line in server.lines if "The limits of connections" in line]
    told = json.loads(line)
    assert told["level"] == "warning"
    assert told["limits"] == [f"STERNPOST_{name.upper()}" for name in LEFT_TO_SERVER]


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n", 200, None),
        (b"GET /health HTTP/1.1\r\n" + HOST + b"x: y\r\n" * 20 + b"\r\n", 431, "HEADERS_TOO_LARGE"),
        (b"GET /" + b"a" * 1000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414, "URL_TOO_LONG"),
        (
            b"POST /api/v1/notes HTTP/1.1\r\n" + HOST + JSON + b"content-length: 2001\r\n\r\n" + b"a" * 2001,
            413,
            "PAYLOAD_TOO_LARGE",
        ),
        (
            b"POST /api/v1/notes HTTP/1.1\r\n" + HOST + JSON + b"content-length: 200\r\n\r\n" + b"[" * 200,
            400,
            "VALIDATION_ERROR",
        ),
        (b"GET /health HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400, "VALIDATION_ERROR"),
    ],
)
def test_limits_that_need_no_connection_hold(server: Process, sent: bytes, status: int, code: str | None) -> None:
    with Wire.to(server.port) as wire:
        wire.send(sent)
        answer = wire.answer()
        assert answer.status == status
        assert not answer.body or answer.code == code, "a server may refuse it before us"


def test_a_compressed_body_is_read(server: Process) -> None:
    body = gzip.compress(b'{"text":"packed"}')
    with Wire.to(server.port) as wire:
        head = b"POST /api/v1/notes HTTP/1.1\r\n" + HOST + JSON + b"content-encoding: gzip\r\n"
        wire.send(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        assert wire.answer().json["data"]["text"] == "packed"


def test_mounted_applications_have_websockets(server: Process) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/sockets/room", proxy=None) as socket:
        assert json.loads(socket.recv())["path"] == "/sockets/room"
        socket.send("hello")
        assert socket.recv() == "hello"
    with pytest.raises(InvalidStatus) as refused, connect(f"ws://127.0.0.1:{server.port}/health", proxy=None):
        pass
    assert refused.value.response.status_code == 403

"""Each limit at the edge: what is at it passes, what is above is refused with its code, and counts fall again."""

from __future__ import annotations

import gzip
import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import DATABASES, shared_database
from tests.faults.ledger import token
from tests.support.server import Process, environment, running, serving, wait_until
from tests.support.wire import Answer, Cut, Wire

APP = "tests.process.edge_service:app"
HOST = b"host: localhost\r\n"
JSON = b"content-type: application/json\r\n"
GZIP = b"content-encoding: gzip\r\n"
BODY_MAX, UNPACKED_MAX, URL_MAX, HEAD_MAX = 20_000, 50_000, 2_000, 8_000
LIMITS = {
    "STERNPOST_MAX_BODY_BYTES": str(BODY_MAX),
    "STERNPOST_DECOMPRESSED_BYTES_MAX": str(UNPACKED_MAX),
    "STERNPOST_URL_BYTES_MAX": str(URL_MAX),
    "STERNPOST_HEAD_BYTES_MAX": str(HEAD_MAX),
    "STERNPOST_HEADERS_MAX": "20",
    "STERNPOST_JSON_MEMBERS_MAX": "500",
}


@pytest.fixture(scope="module", params=DATABASES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with (
        shared_database(request.param, request) as url,
        serving(APP, tmp_path_factory.mktemp("limits"), STERNPOST_DATABASE_URL=url, **LIMITS) as server,
    ):
        yield server


def ask(server: Process, sent: bytes) -> Answer:
    with Wire.to(server.port) as wire:
        with suppress(BrokenPipeError, ConnectionResetError):  # where it is refused before all of it was sent
            wire.send(sent)
        return wire.answer()


def post(body: bytes, more: bytes = b"", path: str = "/api/v1/notes", method: str = "POST") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\n".encode() + HOST + JSON + more
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def chunked(body: bytes, more: bytes = b"", size: int = 1000) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    head = b"POST /api/v1/notes HTTP/1.1\r\n" + HOST + JSON + more + b"transfer-encoding: chunked\r\n\r\n"
    return head + chunks + b"0\r\n\r\n"


def note(size: int) -> bytes:
    """A body of so many bytes."""
    return b'{"text":"' + b"a" * (size - 11) + b'"}'


@pytest.mark.parametrize("form", [post, chunked])
@pytest.mark.parametrize(("size", "status"), [(BODY_MAX - 1, 201), (BODY_MAX, 201), (BODY_MAX + 1, 413), (10**6, 413)])
def test_a_body(server: Process, form: Any, size: int, status: int) -> None:
    answer = ask(server, form(note(size)))
    assert (answer.status, answer.code) == (status, None if status == 201 else "PAYLOAD_TOO_LARGE")


@pytest.mark.parametrize(("size", "status"), [(UNPACKED_MAX, 201), (UNPACKED_MAX + 1, 413)])
@pytest.mark.parametrize("form", [post, chunked])
def test_a_compressed_body(server: Process, form: Any, size: int, status: int) -> None:
    assert ask(server, form(gzip.compress(note(size)), GZIP)).status == status


def test_what_becomes_far_too_large_is_not_made(server: Process) -> None:
    bomb = gzip.compress(note(10_000_000))
    assert len(bomb) < 11_000
    before = _memory(server)
    for _ in range(5):
        assert ask(server, post(bomb, GZIP)).code == "PAYLOAD_TOO_LARGE"
    assert _memory(server) - before < 8_000_000


def _memory(server: Process) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


WHOLE = gzip.compress(note(100))


@pytest.mark.parametrize(
    ("body", "more", "status"),
    [
        (WHOLE, GZIP, 201),
        (WHOLE, b"content-encoding: x-gzip\r\n", 201),
        (gzip.compress(note(100)[:40]) + gzip.compress(note(100)[40:]), GZIP, 201),
        (WHOLE + gzip.compress(b"") * 15, GZIP, 201),
        (WHOLE + gzip.compress(b"") * 16, GZIP, 400),
        (WHOLE[:-1], GZIP, 400),
        (WHOLE[:20], GZIP, 400),
        (WHOLE + b"x", GZIP, 400),
        (WHOLE + b"\0\0", GZIP, 400),
        (b"", GZIP, 400),
        (note(100), GZIP, 400),
        (WHOLE, b"", 400),
        (note(100), b"content-encoding: identity\r\n", 201),
        (WHOLE, b"content-encoding: deflate\r\n", 415),
        (WHOLE, b"content-encoding: br\r\n", 415),
        (gzip.compress(WHOLE), b"content-encoding: gzip, gzip\r\n", 415),
    ],
)
def test_codings(server: Process, body: bytes, more: bytes, status: int) -> None:
    answer = ask(server, post(body, more))
    assert answer.status == status, answer.body


def test_a_compressed_body_where_none_is_taken(server: Process) -> None:
    path = "/api/v1/notes/touch"
    assert ask(server, post(b"", path=path)).status == 200
    assert ask(server, post(gzip.compress(b"x" * 10_000_000), GZIP, path)).status == 400


def test_compressed_batches_and_keys(server: Process) -> None:
    steps = {"operations": [{"op": "notes.create", "data": {"text": "a"}}]}
    plain = ask(server, post(json.dumps(steps).encode(), path="/api/v1/$batch"))
    packed = ask(server, post(gzip.compress(json.dumps(steps).encode()), GZIP, "/api/v1/$batch"))
    assert plain.status == packed.status
    assert plain.status in (200, 400)
    key = b"idempotency-key: packed-1\r\nauthorization: Bearer " + token("packed").encode() + b"\r\n"
    first = ask(server, post(gzip.compress(note(50), mtime=1), GZIP + key))
    again = ask(server, post(gzip.compress(note(50), mtime=2), GZIP + key))
    assert (first.status, again.status) == (201, 201)
    assert first.json["data"] == again.json["data"]
    assert ask(server, post(gzip.compress(note(51)), GZIP + key)).code == "IDEMPOTENCY_KEY_REUSED"
    assert ask(server, post(gzip.compress(note(51)), GZIP + key)).status in (409, 422)


# -- JSON


def nested(levels: int) -> bytes:
    return b'{"text":"a","more":{"x":' + b"[" * (levels - 2) + b"]" * (levels - 2) + b"}}"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (nested(101), "too_deep"),
        (nested(9_000), "too_deep"),
        (b"[" * BODY_MAX, "too_deep"),
        (b'{"text":"a","more":{"x":[' + b"1," * 500 + b"1]}}", "too_many_members"),
        (b'{"text":"a","text":"b"}', "duplicate_member"),
        (b'{"text":"a","\\u0074ext":"b"}', "duplicate_member"),
        (b'{"text":"a","more":{"x":{"y":1,"y":2}}}', "duplicate_member"),
        (b'{"text":"a","more":{"x":NaN,"y":1,"y":2}}', "duplicate_member"),
        (b'{"text":"\\ud800"}', None),
        (b'{"text":"a\\u0000b"}', None),
        (b'{"text":"a\x00b"}', None),
        (b'\xef\xbb\xbf{"text":"a"}', None),
        ('{"text":"a"}'.encode("utf-16"), None),
        (b'{"text":"\xff"}', None),
        (b'{"text":"a","more":{"x":NaN}}', None),
        (b'{"text":"a","more":{"x":-Infinity}}', None),
        (b'{"text":"a"}{"text":"b"}', None),
        (b'{"text":"a",}', None),
        (b"{'text':'a'}", None),
    ],
)
@pytest.mark.parametrize("form", [post, chunked])
def test_json_that_is_refused(server: Process, form: Any, body: bytes, code: str | None) -> None:
    answer = ask(server, form(body))
    assert (answer.status, answer.code) == (400, "VALIDATION_ERROR"), answer.body
    if code is not None:
        assert [detail["code"] for detail in answer.json["error"]["details"]] == [code]


@pytest.mark.parametrize(
    "body",
    [
        b'{"text":"[[[[{{{{:,:,:,\\"\\\\","more":{":":"a:b","\\"":1}}',
        b'{"text":"' + b"[" * 500 + b":" * 500 + b"," * 600 + b'"}',
        nested(60),
        b'{"text":"a","more":{"x":1' + b"0" * 400 + b"}}",
        b'{"text":"\\ud83d\\ude00"}',
    ],
)
def test_json_that_passes(server: Process, body: bytes) -> None:
    answer = ask(server, post(body))
    assert answer.status == 201, answer.body
    assert answer.json["data"]["text"] == json.loads(body)["text"]


def test_names_are_compared_in_patches_and_steps_too(server: Process) -> None:
    made = ask(server, post(note(30))).json["data"]["id"]
    twice = b'{"text":"b","text":"c"}'
    for sent in (
        post(twice, path=f"/api/v1/notes/{made}", method="PATCH"),
        post(b'{"operations":[{"op":"notes.create","data":' + twice + b"}]}", path="/api/v1/$batch"),
        post(gzip.compress(twice), GZIP),
    ):
        assert [detail["code"] for detail in ask(server, sent).json["error"]["details"]] == ["duplicate_member"]


# -- heads


@pytest.mark.parametrize("known", [False, True])
def test_heads(server: Process, known: bool) -> None:
    for _ in range(3 if known else 0):
        assert ask(server, b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n").status == 200
    for size, status in ((URL_MAX, 404), (URL_MAX + 1, 414), (HEAD_MAX, 431)):
        for start in (b"/", b"/?"):
            answer = ask(server, b"GET " + start + b"a" * (size - 1) + b" HTTP/1.1\r\n" + HOST + b"\r\n")
            expected = 404 if start == b"/?" and size == URL_MAX + 1 and answer.status == 404 else status
            assert answer.status == expected, (size, start)
    for count, status in ((20, 200), (21, 431)):
        lines = HOST + b"connection: close\r\n" + b"x: y\r\n" * (count - 2)
        assert ask(server, b"GET /health HTTP/1.1\r\n" + lines + b"\r\n").status == status


# -- connections


def refused(server: Process, asked: bytes = b"") -> str | None:
    """The code that a new connection is answered with; None where it is served."""
    with Wire.to(server.port) as wire:
        wire.send(asked or b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
        return wire.answer().code


def test_connections_from_one_address(tmp_path: Path) -> None:
    with serving(APP, tmp_path, STERNPOST_CONNECTIONS_PER_ADDRESS_MAX="3", STERNPOST_HEAD_SECONDS="1") as server:
        for end in ENDS:
            with ExitStack() as stack:
                wires = [stack.enter_context(Wire.to(server.port)) for _ in range(3)]
                wait_until(lambda: refused(server) == "TOO_MANY_CONNECTIONS")
                for wire in wires:
                    end(wire)
                wait_until(lambda: refused(server) is None)
        server.wait_for('"errorCode":"TOO_MANY_CONNECTIONS"')


def _ends(wire: Wire) -> None:
    wire.opened.close()


def _asks(wire: Wire) -> None:
    wire.send(b"GET /health HTTP/1.1\r\nconnection: close\r\n" + HOST + b"\r\n")
    assert wire.answer().status == 200


def _errs(wire: Wire) -> None:
    wire.send(b"GARBAGE\r\n\r\n")
    assert wire.answer().status == 400


def _waits(wire: Wire) -> None:
    assert wire.rest() == b""


def _breaks_off(wire: Wire) -> None:
    wire.send(b"POST /echo/x HTTP/1.1\r\n" + HOST + b"content-length: 9\r\n\r\nhe")
    wire.reset()


def _is_cut_off(wire: Wire) -> None:
    wire.send(b"GET /answers/raises-within HTTP/1.1\r\n" + HOST + b"\r\n")
    with pytest.raises(Cut):
        wire.answer()


ENDS = (_ends, Wire.reset, _asks, _errs, _waits, _breaks_off, _is_cut_off)


def test_connections_in_all_and_from_proxies(tmp_path: Path) -> None:
    limits = {
        "STERNPOST_CONNECTIONS_MAX": "5",
        "STERNPOST_CONNECTIONS_PER_ADDRESS_MAX": "2",
        "STERNPOST_TRUSTED_PROXIES": "127.0.0.0/8",
    }
    with serving(APP, tmp_path, **limits) as server, ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(Wire.to(server.port))
        wait_until(lambda: refused(server) == "UNAVAILABLE")
        with Wire.to(server.port) as wire:
            answer = wire.answer()  # before anything was asked
            assert (answer.status, answer.headers["connection"]) == (503, "close")
            assert wire.ended()
        stack.close()
        wait_until(lambda: refused(server) is None)


def test_one_network_of_ipv6_is_one_client(tmp_path: Path) -> None:
    limits = {"STERNPOST_CONNECTIONS_PER_ADDRESS_MAX": "1", "STERNPOST_HOST": "::1"}
    with serving(APP, tmp_path, **limits) as server:
        first, second = (socket.create_connection(("::1", server.port), 20) for _ in range(2))
        with first, second:
            assert Wire(second).answer().code == "TOO_MANY_CONNECTIONS"


# -- descriptors


def limited(soft: int, hard: int, folder: Path, **env: str) -> Any:
    """A service that is started with so few open files."""
    code = (
        f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard})); "
        f"sys.argv = ['sternpost', 'serve', {APP!r}, '--create-schema']; runpy.run_module('sternpost', run_name='__main__')"
    )
    settings = {"STERNPOST_DATABASE_URL": f"sqlite:///{folder / 'few.sqlite'}", "STERNPOST_PORT": "0", **env}
    return running(["-c", code], environment(**settings), folder)


def test_the_soft_limit_of_open_files_is_raised(tmp_path: Path) -> None:
    with limited(100, 1000, tmp_path, STERNPOST_CONNECTIONS_MAX="200") as server:
        assert resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)[0] >= 300
        assert not [line for line in server.lines if "fewer open files" in line]


def test_with_few_open_files_fewer_connections_are_taken(tmp_path: Path) -> None:
    with limited(100, 100, tmp_path) as server, ExitStack() as stack:
        told = json.loads(server.wait_for(r".*fewer open files.*").group(0))
        assert (told["openFiles"], told["connections"]) == (100, 50)
        for _ in range(50):
            stack.enter_context(Wire.to(server.port))
        wait_until(lambda: refused(server) == "UNAVAILABLE")
        stack.close()
        wait_until(lambda: refused(server) is None)


def test_accepting_goes_on_after_descriptors_ran_out(tmp_path: Path) -> None:
    with serving(APP, tmp_path) as server:
        pid = server.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 5, hard))
        with ExitStack() as stack:
            wires = [stack.enter_context(Wire.to(server.port)) for _ in range(30)]
            for wire in wires:
                try:
                    wire.send(b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n")
                except OSError:
                    continue  # the system had to refuse it
            assert wires[0].answer().status == 200
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        deadline = time.monotonic() + 20
        while True:
            try:
                assert server.request("GET", "/health")[0] == 200
                break
            except OSError:
                assert time.monotonic() < deadline

"""HTTP/1.1 to the letter (RFC 9112), over real sockets: what can be read in two ways is refused, also on a connection
whose headers are remembered, and nothing of one request gets into another."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.edge_service import BIG
from tests.support.server import Process, serving, wait_until
from tests.support.wire import Cut, Wire

HOST = b"host: localhost\r\n"
HELLO = b"5\r\nhello\r\n0\r\n\r\n"
SMUGGLED = b"GET /echo/smuggled HTTP/1.1\r\nhost: localhost\r\n\r\n"
JSON = b"content-type: application/json\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving("tests.process.edge_service:app", tmp_path_factory.mktemp("edge")) as server:
        yield server


@pytest.fixture
def wire(server: Process) -> Iterator[Wire]:
    with Wire.to(server.port) as wire:
        yield wire


def get(path: str = "/echo/x", more: bytes = b"") -> bytes:
    return b"GET %s HTTP/1.1\r\n" % path.encode() + HOST + more + b"\r\n"


def post(body: bytes, more: bytes = b"", path: str = "/echo/x") -> bytes:
    return b"POST %s HTTP/1.1\r\n" % path.encode() + HOST + more + b"content-length: %d\r\n\r\n" % len(body) + body


def warm(wire: Wire) -> None:
    """Has the headers of ordinary requests remembered, on this connection, too."""
    for _ in range(2):
        for asked in (get(), post(b"hello")):
            wire.send(asked)
            assert wire.answer().status == 200


PAIRS = {
    "length and coding": b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n" + HELLO,
    "coding and length": b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n" + HELLO,
    "two lengths": b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "two equal lengths": b"content-length: 5\r\ncontent-length: 5\r\n\r\nhello",
    "a list of lengths": b"content-length: 5, 5\r\n\r\nhello",
    "length with +": b"content-length: +5\r\n\r\nhello",
    "length with -": b"content-length: -5\r\n\r\nhello",
    "length in two parts": b"content-length: 5 5\r\n\r\nhello",
    "hexadecimal length": b"content-length: 0x5\r\n\r\nhello",
    "length with _": b"content-length: 0_5\r\n\r\nhello",
    "empty length": b"content-length: \r\n\r\nhello",
    "length above 64 bits": b"content-length: 18446744073709551621\r\n\r\nhello",
    "length of 5000 digits": b"content-length: " + b"0" * 5000 + b"5\r\n\r\nhello",
    "chunked and identity": b"transfer-encoding: chunked, identity\r\n\r\n" + HELLO,
    "gzip and chunked": b"transfer-encoding: gzip, chunked\r\n\r\n" + HELLO,
    "identity": b"transfer-encoding: identity\r\n\r\nhello",
    "another coding": b"transfer-encoding: xchunked\r\n\r\n" + HELLO,
    "coding in quotes": b'transfer-encoding: "chunked"\r\n\r\n' + HELLO,
    "coding behind a control": b"transfer-encoding: \x0bchunked\r\n\r\n" + HELLO,
    "coding with space behind": b"transfer-encoding: chunked \r\n\r\n" + HELLO,
    "two codings": b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n" + HELLO,
    "empty coding": b"transfer-encoding:\r\n\r\n" + HELLO,
    "folded coding": b"transfer-encoding:\r\n chunked\r\n\r\n" + HELLO,
    "folded length": b"content-length: 5\r\n 5\r\n\r\nhello",
    "folded header": b"x: a\r\n b\r\n\r\n",
    "space before the colon": b"x : a\r\n\r\n",
    "space before the colon of a length": b"content-length : 5\r\n\r\nhello",
    "space before the first header": b" x: a\r\n\r\n",
    "bare LF": b"x: a\ny: b\r\n\r\n",
    "bare LF at the end": b"x: a\n\n",
    "bare CR": b"x: a\ry: b\r\n\r\n",
    "NUL": b"x: a\0b\r\n\r\n",
    "control character": b"x: a\x01b\r\n\r\n",
    "no colon": b"x\r\n\r\n",
    "empty name": b": a\r\n\r\n",
    "name that is no token": b"x(: a\r\n\r\n",
    "chunk size with +": b"transfer-encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    "chunk size with -": b"transfer-encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "chunk size with 0x": b"transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "chunk size above 64 bits": b"transfer-encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    "empty chunk size": b"transfer-encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n",
    "space behind a chunk size": b"transfer-encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
    "chunks with bare LF": b"transfer-encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    "extension with bare LF": b"transfer-encoding: chunked\r\n\r\n5;a\nhello\r\n0\r\n\r\n",
    "chunk without its end": b"transfer-encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
    "chunk longer than it says": b"transfer-encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
    "length behind the body": b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ncontent-length: 3\r\n\r\n",
    "coding behind the body": b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\ntransfer-encoding: chunked\r\n\r\n",
    "close behind the body": b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nconnection: close\r\n\r\n",
}


@pytest.mark.parametrize("known", [False, True], ids=["first", "known"])
@pytest.mark.parametrize("sent", PAIRS.values(), ids=PAIRS.keys())
def test_what_can_be_read_in_two_ways_is_refused(wire: Wire, sent: bytes, known: bool) -> None:
    if known:
        warm(wire)
    wire.send(b"POST /echo/x HTTP/1.1\r\n" + HOST + sent + SMUGGLED)
    answer = wire.answer()
    assert (answer.status, answer.code) == (400, "MALFORMED_REQUEST")
    assert answer.headers["connection"] == "close"
    assert wire.ended()


def test_a_coding_in_http_1_0_is_refused(wire: Wire) -> None:
    """Recipients of HTTP/1.0 take another length (RFC 9112, 6.1)."""
    wire.send(b"POST /echo/x HTTP/1.0\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n" + HELLO)
    assert wire.answer().code == "MALFORMED_REQUEST"


@pytest.mark.parametrize(
    "sent",
    [
        b"content-length:\t5 \r\n\r\nhello",
        b"content-length: 005\r\n\r\nhello",
        b"transfer-encoding:  CHUNKED\r\n\r\n" + HELLO,
        b"transfer-encoding: chunked\r\n\r\n5;name=value\r\nhello\r\n000\r\n\r\n",
        b'transfer-encoding: chunked\r\n\r\n2;name="val;ue"\r\nhe\r\n3\r\nllo\r\n0\r\nx: y\r\nhost: other\r\n\r\n',
    ],
)
@pytest.mark.parametrize("known", [False, True], ids=["first", "known"])
def test_what_is_rare_and_right_is_read(wire: Wire, sent: bytes, known: bool) -> None:
    if known:
        warm(wire)
    wire.send(b"POST /echo/x HTTP/1.1\r\n" + HOST + sent + get("/echo/next"))
    found = wire.answer().json
    assert found["body"] == "hello"
    assert dict(found["headers"])["host"] == "localhost"
    assert wire.answer().json["path"] == "/echo/next"


def test_an_extension_without_end_is_cut_off(wire: Wire) -> None:
    wire.send(b"POST /echo/x HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n5;x=" + b"a" * 140_000)
    assert wire.answer().code == "HEADERS_TOO_LARGE"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET / HTTP/1.1 ", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET /a b HTTP/1.1", 400),
        (b"GET / HTTP/1.1\r", 400),
        (b"GET /", 400),  # HTTP/0.9
        (b"GET / HTTP/0.9", 400),
        (b"GET / HTTP/1.2", 400),
        (b"GET / HTTP/2.0", 400),
        (b"GET / HTTP/01.1", 400),
        (b"GET / http/1.1", 400),
        (b"GET /health RTSP/1.0", 400),
        (b"GET /health RTSP/1.1", 400),
        (b"GET /health FOO/1.1", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n", 400),
        (b"get / HTTP/1.1", 400),
        (b"FOO / HTTP/1.1", 400),
        (b"GET x HTTP/1.1", 400),
        (b"GET localhost:80 HTTP/1.1", 400),
        (b"CONNECT localhost:80 HTTP/1.1", 400),
        (b"GET ftp://localhost/ HTTP/1.1", 400),
        (b"GET http:///health HTTP/1.1", 400),
        (b"GET http://user@localhost/health HTTP/1.1", 400),
        (b"GET /health#fragment HTTP/1.1", 400),
        (b"GET http://localhost/health#fragment HTTP/1.1", 400),
        (b"GET /\xc3\xa9 HTTP/1.1", 400),
        (b"GET /?q=\xc3\xa9 HTTP/1.1", 400),
        (b"GET /a\x7fb HTTP/1.1", 400),
        (b"GET /health HTTP/1.1", 200),
        (b"GET  /health HTTP/1.1", 200),  # which RFC 9112, 3, allows
        (b"\r\nGET /health HTTP/1.1", 200),
        (b"GET http://localhost/health HTTP/1.1", 200),
        (b"OPTIONS * HTTP/1.1", 404),
        (b"GET * HTTP/1.1", 404),
        (b"GET //health HTTP/1.1", 404),
    ],
)
@pytest.mark.parametrize("known", [False, True], ids=["first", "known"])
def test_the_first_line(wire: Wire, line: bytes, status: int, known: bool) -> None:
    if known:
        warm(wire)
    wire.send(line + b"\r\n" + HOST + b"connection: close\r\n\r\n")
    assert wire.answer().status == status


def test_the_host_of_the_address_counts(wire: Wire) -> None:
    wire.send(b"GET http://other.example:8080/echo/x?a=b HTTP/1.1\r\n" + HOST + b"\r\n")
    found = wire.answer().json
    assert (found["path"], found["query"], found["headers"]) == ("/echo/x", "a=b", [["host", "other.example:8080"]])
    wire.send(b"GET http://other.example?a=b HTTP/1.1\r\n" + HOST + b"\r\n")
    assert wire.answer().status == 404
    wire.send(get())
    assert wire.answer().json["headers"] == [["host", "localhost"]]


@pytest.mark.parametrize(
    "hosts",
    [
        b"",
        HOST + HOST,
        HOST + b"host: other\r\n",
        b"host: a b\r\n",
        b"host: a/b\r\n",
        b"host: a@b\r\n",
        b"host: [::1\r\n",
    ],
)
@pytest.mark.parametrize("known", [False, True], ids=["first", "known"])
def test_a_request_has_one_host(wire: Wire, hosts: bytes, known: bool) -> None:
    if known:
        warm(wire)
    for _ in range(3):
        wire.send(b"GET /health HTTP/1.1\r\n" + hosts + b"\r\n")
        answer = wire.answer()
        assert (answer.status, answer.code) == (400, "VALIDATION_ERROR")


def test_http_1_0_needs_no_host_and_ends_with_its_answer(wire: Wire) -> None:
    wire.send(b"GET /answers/chunked HTTP/1.0\r\nconnection: keep-alive\r\n\r\n" + SMUGGLED)
    answer = wire.answer()
    assert (answer.status, answer.headers["connection"], answer.body) == (200, "close", b"one two three")
    assert "transfer-encoding" not in answer.headers


# -- memory


def test_nothing_of_a_request_gets_into_another_one(server: Process) -> None:
    """Two clients take turns, with credentials of their own, in packets that end anywhere."""
    with Wire.to(server.port) as first, Wire.to(server.port) as second:
        for number in range(40):
            for wire, name in ((first, "first"), (second, "second")):
                asked = post(b"of %s" % name.encode(), b"authorization: Bearer %s\r\n" % name.encode(), f"/echo/{name}")
                place = number * 7 % len(asked) if number % 2 else 0
                wire.send(*(piece for piece in (asked[:place], asked[place:]) if piece))
                found = wire.answer().json
                assert (found["path"], found["body"]) == (f"/echo/{name}", f"of {name}")
                assert dict(found["headers"])["authorization"] == f"Bearer {name}"


@pytest.mark.parametrize("value", [b"close", b"keep-alive, Close"])
def test_a_client_that_wants_the_end_gets_it_each_time(server: Process, value: bytes) -> None:
    for _ in range(4):
        with Wire.to(server.port, seconds=4) as wire:  # an idle connection stays open for longer
            wire.send(get(more=b"connection: " + value + b"\r\n"))
            assert wire.answer().headers["connection"] == "close"
            assert wire.ended()


# -- several requests


def test_answers_come_in_the_order_of_the_requests(wire: Wire) -> None:
    asked = [post(b"%d" % number, path=f"/echo/{number}") for number in range(20)]
    wire.send(b"".join(asked))
    for number in range(20):
        found = wire.answer("POST").json
        assert (found["path"], found["body"]) == (f"/echo/{number}", str(number))


def test_requests_in_advance_come_in_pieces(wire: Wire) -> None:
    asked = get("/echo/1") + post(b"x" * 1000, path="/echo/2") + b"POST /echo/3 HTTP/1.1\r\n" + HOST
    asked += b"transfer-encoding: chunked\r\n\r\n" + HELLO + get("/echo/4")
    wire.send(*(asked[at : at + 7] for at in range(0, len(asked), 7)))
    assert [wire.answer().json["path"] for _ in range(4)] == [f"/echo/{number}" for number in (1, 2, 3, 4)]


def test_what_is_malformed_is_answered_behind_what_was_asked_before(wire: Wire) -> None:
    wire.send(get("/echo/1") + get("/echo/2") + b"GARBAGE\r\n\r\n" + SMUGGLED)
    assert [wire.answer().json["path"] for _ in range(2)] == ["/echo/1", "/echo/2"]
    assert wire.answer().code == "MALFORMED_REQUEST"
    assert wire.ended()


@pytest.mark.parametrize("packets", [1, 3])
@pytest.mark.parametrize("last", [b"HTTP/1.1\r\nconnection: close\r\n", b"HTTP/1.0\r\nconnection: keep-alive\r\n"])
def test_nothing_counts_behind_a_request_that_ends_the_connection(
    server: Process, wire: Wire, packets: int, last: bytes
) -> None:
    warm(wire)
    closing_one = b"GET /echo/last " + last + HOST + b"\r\n"
    pieces = [get("/echo/1"), closing_one, post(b'{"text": "smuggled"}', JSON, "/api/v1/notes")]
    wire.send(*([b"".join(pieces)] if packets == 1 else pieces))
    assert [wire.answer().json["path"] for _ in range(2)] == ["/echo/1", "/echo/last"]
    assert wire.ended()
    assert server.request("GET", "/api/v1/notes")[1]["data"] == []


def test_so_many_requests_may_come_in_advance(server: Process) -> None:
    """One is being answered, and 32 wait; the next one is answered with 429 behind them."""
    for count in (33, 34):
        with Wire.to(server.port) as wire:
            wire.send(b"".join(get(f"/echo/{number}") for number in range(count)))
            for number in range(33):
                assert wire.answer().json["path"] == f"/echo/{number}"
            if count == 34:
                answer = wire.answer()
                assert (answer.status, answer.code) == (429, "TOO_MANY_PIPELINED")
                assert wire.ended()


# -- ways to ask, and to leave


def test_a_client_that_waits_for_100_gets_it_where_its_body_is_wanted(wire: Wire) -> None:
    head = b"POST /%s HTTP/1.1\r\n" + HOST + JSON + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n"
    for _ in range(3):
        wire.send(head % (b"echo/x", 5))
        assert wire.answer().status == 100
        wire.send(b"hello")
        assert wire.answer().json["body"] == "hello"
    wire.send(head % (b"api/v1/notes", 100_000_000))
    answer = wire.answer()
    assert (answer.status, answer.code) == (413, "PAYLOAD_TOO_LARGE")
    assert wire.ended()


def test_head_has_no_body(wire: Wire) -> None:
    for path in ("/health", "/echo/x", "/answers/chunked", "/api/v1/nothing"):
        wire.send(b"HEAD %s HTTP/1.1\r\n" % path.encode() + HOST + b"\r\n" + get())
        assert wire.answer("HEAD").headers
        assert wire.answer().json["path"] == "/echo/x"


def test_h2c_is_not_taken_up_and_its_body_is_read(server: Process) -> None:
    upgrade = b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
    for _ in range(3):
        with Wire.to(server.port) as wire:
            wire.send(post(b"hello", upgrade) + SMUGGLED)
            answer = wire.answer()
            assert (answer.status, answer.json["body"], answer.headers["connection"]) == (200, "hello", "close")
            assert wire.ended()
    with Wire.to(server.port) as wire:
        wire.send(b"POST /echo/x HTTP/1.1\r\n" + HOST + upgrade + b"transfer-encoding: chunked\r\n\r\n5\r\nhe")
        wire.send(b"llo\r\n0\r\n\r\n" + SMUGGLED)
        assert wire.answer().json["body"] == "hello"
        assert wire.ended()


def test_a_client_that_sends_no_more_is_taken_for_gone(wire: Wire, server: Process) -> None:
    """The end of what it sends is all that a server sees of a client that closes its connection."""
    wire.send(b"POST /echo/x HTTP/1.1\r\n" + HOST + b"content-length: 5\r\n\r\nhe")
    wire.opened.shutdown(socket.SHUT_WR)
    assert wire.ended()
    assert server.request("GET", "/health")[0] == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /",
        b"GET / HTTP/1.1\r\n" + HOST,
        b"POST /echo/x HTTP/1.1\r\n" + HOST + b"content-length: 9\r\n\r\nhe",
        b"POST /echo/x HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n5\r\nhe",
        get("/answers/endless"),
        get("/answers/big"),
        get("/answers/big") * 5,
        b"GARBAGE\r\n\r\n",
        b"POST /echo/x HTTP/1.1\r\n" + HOST + b"expect: 100-continue\r\ncontent-length: 9\r\n\r\n",
    ],
)
def test_a_client_may_reset_its_connection_at_any_time(server: Process, sent: bytes) -> None:
    for _ in range(3):
        wire = Wire.to(server.port)
        wire.send(sent)
        if sent.endswith(b"\r\n\r\n"):
            wire.opened.recv(10)
        wire.reset()
    assert server.request("GET", "/health")[0] == 200
    assert not [line for line in server.lines if "Traceback" in line or "Fatal error" in line]


# -- answers of mounted applications


def test_answers_without_a_length_are_chunked(wire: Wire) -> None:
    for _ in range(2):
        wire.send(get("/answers/chunked"))
        answer = wire.answer()
        assert (answer.headers["transfer-encoding"], answer.body) == ("chunked", b"one two three")
    wire.send(get("/answers/empty"))
    answer = wire.answer()
    assert answer.status == 204
    assert not {"content-length", "transfer-encoding"} & answer.headers.keys()


@pytest.mark.parametrize("path", ["nothing", "raises", "lengths", "negative", "split"])
def test_an_application_that_does_not_answer_is_answered_for(wire: Wire, path: str) -> None:
    wire.send(get(f"/answers/{path}"))
    answer = wire.answer()
    assert (answer.status, answer.code) == (500, "INTERNAL_ERROR")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["short", "long", "started", "raises-within"])
def test_an_answer_that_fails_on_its_way_is_cut_off(wire: Wire, path: str) -> None:
    wire.send(get(f"/answers/{path}") + get())
    with pytest.raises(Cut):
        wire.answer()


def test_big_answers_and_bodies_are_whole(wire: Wire) -> None:
    body = bytes(range(33, 126)) * 20_000
    reader = threading.Thread(target=wire.send, args=(get("/answers/big") + post(body),))
    reader.start()
    assert len(wire.answer().body) == BIG
    assert wire.answer().json["body"].encode() == body
    reader.join()


def test_a_client_that_does_not_read_is_not_written_to(server: Process) -> None:
    """What an application streams waits for the client, and ends with it."""
    with Wire.to(server.port, receive_bytes=4096) as wire:
        wire.send(get("/answers/endless"))
        wire.opened.recv(100)
        before = _memory(server)
        assert server.request("GET", "/health")[0] == 200
        assert _memory(server) - before < 20_000_000


def _memory(server: Process) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
    return int(status.split("VmRSS:")[1].split()[0]) * 1024


def test_a_bug_behind_an_answer_that_is_not_read_is_answered(server: Process) -> None:
    """The answer to the second request has to wait until the first one is read."""
    with Wire.to(server.port, receive_bytes=4096) as wire:
        wire.send(get("/answers/big") + get("/answers/nothing"))
        lines = len([line for line in server.lines if "without the end of its answer" in line])
        wait_until(lambda: len([x for x in server.lines if "without the end of its answer" in x]) >= lines)
        assert len(wire.answer().body) == BIG
        assert wire.answer().code == "INTERNAL_ERROR"


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    limits = {"STERNPOST_BODY_SECONDS": "1", "STERNPOST_BODY_BYTES_A_SECOND": "4000000", "STERNPOST_HEAD_SECONDS": "1"}
    with serving("tests.process.edge_service:app", tmp_path_factory.mktemp("impatient"), **limits) as server:
        yield server


def established(server: Process) -> int:
    """How many connections the server keeps. The client does not see the end of one on which it does not read."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:]]
    return sum(row[1].endswith(f":{server.port:04X}") and row[3] == "01" for row in rows)


@pytest.mark.parametrize("asked", [get("/answers/big"), get("/answers/endless"), get("/answers/big") * 3])
def test_a_client_that_does_not_read_its_answer_is_cut_off(impatient: Process, asked: bytes) -> None:
    """Otherwise it would keep the answer in memory, and its connection, for ever."""
    wait_until(lambda: established(impatient) == 0)
    with Wire.to(impatient.port, receive_bytes=4096) as wire:
        started = time.monotonic()
        wire.send(asked)
        wait_until(lambda: established(impatient) == 1)
        wait_until(lambda: established(impatient) == 0)
        assert time.monotonic() - started > 1
    assert impatient.request("GET", "/health")[0] == 200


def test_a_client_that_reads_slowly_gets_all_of_its_answer(impatient: Process) -> None:
    """Twice: an answer that was read leaves no time behind for the next one."""
    with Wire.to(impatient.port, receive_bytes=65_536) as wire:
        for _ in range(2):
            wire.send(get("/answers/big"))
            while len(wire.received) < BIG:
                wire._more()
                time.sleep(0.01 * (len(wire.received) % 7 == 0))
            assert len(wire.answer().body) == BIG


def test_what_was_refused_is_told(server: Process, wire: Wire) -> None:
    wire.send(b"GARBAGE\r\n\r\n")
    request_id = wire.answer().headers["x-request-id"]
    assert request_id.startswith("req_")
    line = json.loads(server.wait_for(r".*What is no whole request was answered.*").group(0))
    assert (line["status"], line["address"]) in {(400, "127.0.0.1"), (431, "127.0.0.1"), (429, "127.0.0.1")}

"""The same bytes are the same requests: in one piece, in many, and with headers that are remembered or not."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sternpost.app.http1.reader import BLOCKS_MAX, KnownHeaders, RequestReader
from sternpost.protocols.http.headers import RequestHeaders, read_headers
from sternpost.protocols.http.messages import ON_LEAVE, PARSED, Scope
from tests.support.rounds import drawing, rounds

HEAD_BYTES_MAX = 65_536
LOG = logging.getLogger("tests.reader")


class Heard:
    """What the application would see.

    Attributes:
        requests: scope, whether the connection stays open, whether the client waits for 100, body, whether it is whole.
    """

    def __init__(self) -> None:
        self.requests: list[list[Any]] = []

    def received(self, scope: Scope, *, keep_alive: bool, continues: bool) -> None:
        self.requests.append([_comparable(scope), keep_alive, continues, b"", False])

    def received_all(self, scope: Scope, body: bytes) -> None:
        self.requests.append([_comparable(scope), True, False, body, True])

    def part(self, data: bytes) -> None:
        self.requests[-1][3] += data

    def end(self) -> None:
        self.requests[-1][4] = True


def _comparable(scope: Scope) -> dict[str, Any]:
    found = {name: value for name, value in scope.items() if name not in (PARSED, ON_LEAVE)}
    found["headers"] = list(scope["headers"])
    return {**found, "read": _members(read_headers(scope))}


def _members(headers: RequestHeaders) -> dict[str, Any]:
    return {name: getattr(headers, name) for name in RequestHeaders.__annotations__}


def heard(pieces: list[bytes], known: KnownHeaders | None = None, most: int = HEAD_BYTES_MAX) -> tuple[Any, str | None]:
    """The requests, and why nothing more was read."""
    receiver = Heard()
    memory = KnownHeaders() if known is None else known
    reader = RequestReader(receiver, {"type": "http"}, memory, most, LOG, takes_websockets=False)
    problem = None
    for piece in pieces:
        problem = problem or reader.feed(piece)
    if receiver.requests and not receiver.requests[-1][1] and receiver.requests[-1][4]:
        problem = None  # the connection ends there, whatever follows
    return receiver.requests, None if problem is None else problem.code


LINES = [
    b"GET / HTTP/1.1",
    b"GET /a%20b?c=d HTTP/1.1",
    b"GET /a?b?c HTTP/1.1",
    b"POST /x HTTP/1.1",
    b"DELETE //x HTTP/1.1",
    b"HEAD /?HTTP/1.1 HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"GET http://b.example/x?y HTTP/1.1",
    b"GET http://b.example?y HTTP/1.1",
    b"POST /x HTTP/1.0",
    b"GET /x HTTP/1.2",
    b"GET /x#y HTTP/1.1",
    b"GET /\xc3\xa9 HTTP/1.1",
    b"GET  / HTTP/1.1",
    b"GET / HTTP/1.1 ",
    b"\r\nGET / HTTP/1.1",
    b"GET /",
    b"GET / RTSP/1.0",
    b"POST /x?y RTSP/1.1",
    b"get / HTTP/1.1",
    b"CONNECT a:80 HTTP/1.1",
]
HEADERS = [
    b"Host: a\r\n",
    b"Host: b \r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: Keep-Alive, Upgrade\r\nUpgrade: h2c\r\n",
    b"Upgrade: websocket\r\nConnection: upgrade\r\n",
    b"Authorization: Bearer one\r\n",
    b"Authorization: Bearer two\r\n",
    b"X:\r\n",
    b"X: \xff\r\n",
    b"X: GET / RTSP/1.0\r\n",
    b"x: y\r\nX: z\r\n",
    b"Expect: 100-continue\r\n",
    b"Accept: */*\r\nAccept: image/png\r\n",
    b"X: a\r\n b\r\n",
    b"X : a\r\n",
    b"X: a\nY: b\r\n",
    b"X: a\rY: b\r\n",
    b"X: a\0\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Content-Length: 3\r\nContent-Length: 3\r\n",
]
BODIES = [
    (b"", b""),
    (b"", b""),
    (b"Content-Length: 0\r\n", b""),
    (b"Content-Length: 5\r\n", b"\r\n\r\n!"),
    (b"content-length: 05 \r\n", b"GET /"),
    (b"Content-Length: 35\r\n", b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
    (b"Content-Length: 16\r\n", b"GET / RTSP/1.0\r\n"),
    (b"Content-Length: +5\r\n", b"hello"),
    (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\n", b"5\r\nhello\r\n0\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\n", b"5;x=y\r\nhello\r\n0\r\nHost: c\r\nConnection: close\r\n\r\n"),
    (b"Transfer-Encoding: chunked\r\n", b"+5\r\nhello\r\n0\r\n\r\n"),
    (b"", b"\r\n"),
]


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request, or what looks like one. Most begin in an ordinary way, so that the rest matters."""
    line = draw(st.sampled_from(LINES[:5] if draw(st.integers(0, 3)) else LINES))
    ordinary = HEADERS[:12] if draw(st.integers(0, 3)) else HEADERS
    headers = draw(st.lists(st.sampled_from(ordinary), max_size=3))
    length, body = draw(st.sampled_from(BODIES))
    headers.insert(draw(st.integers(0, len(headers))), length)
    return line + b"\r\n" + b"".join(headers) + b"\r\n" + body


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(stream) + 1) for place in at}), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges) if start < end]


@rounds(300, 5000)
def test_the_same_bytes_are_the_same_requests(rounds: int) -> None:
    @drawing(rounds)
    @given(st.lists(requests(), min_size=1, max_size=4), st.lists(st.integers(0, 2000), max_size=8))
    def compare(sent: list[bytes], at: list[int]) -> None:
        stream = b"".join(sent)
        expected = heard([stream])
        known = KnownHeaders()
        for each in [*sent, *sent]:
            heard([each], known)  # each on a connection of its own, so that everything is remembered that may be
        ways = {
            "in pieces": heard(cut(stream, at)),
            "byte by byte": heard([stream[place : place + 1] for place in range(len(stream))]),
            "each by itself": heard(sent),
            "each by itself, remembered": heard(sent, known),
            "in one piece, remembered": heard([stream], known),
            "in pieces, remembered": heard(cut(stream, at), known),
        }
        for way, found in ways.items():
            assert found == expected, way

    compare()


OTHERS = [b"GET / RTSP/1.0", b"POST /x RTSP/1.1", b"OPTIONS * RTSP/1.0", b"PLAY /x RTSP/1.0", b"SOURCE / ICE/1.0"]


@pytest.mark.parametrize("line", OTHERS)
@pytest.mark.parametrize("before", [b"", b"\r\n", b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"])
def test_another_protocol_is_refused_wherever_its_line_is_cut(line: bytes, before: bytes) -> None:
    stream = before + line + b"\r\nHost: a\r\n\r\n"
    for ways in ([], *([place] for place in range(1, len(stream))), list(range(len(stream)))):
        found, problem = heard(cut(stream, ways))
        assert (len(found), problem) == (1 if before.startswith(b"POST") else 0, "MALFORMED_REQUEST"), ways


@pytest.mark.parametrize("line", OTHERS)
def test_the_name_of_another_protocol_is_no_harm_elsewhere(line: bytes) -> None:
    head = b"POST / HTTP/1.1\r\nX: " + line + b"\r\nContent-Length: %d\r\n\r\n" % (2 * len(line) + 4)
    body = line + b"\r\n" + line + b"\r\n"
    stream = (head + body) * 2
    for ways in ([], *([place] for place in range(1, len(stream))), list(range(len(stream)))):
        found, problem = heard(cut(stream, ways))
        assert problem is None, ways
        assert [(request[3], request[4]) for request in found] == [(body, True)] * 2, ways


@pytest.mark.parametrize("value", [b"close", b"Close", b"keep-alive, close"])
def test_a_connection_ends_with_its_answer_also_where_the_headers_are_known(value: bytes) -> None:
    known = KnownHeaders()
    asked = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: " + value + b"\r\n\r\n"
    for _ in range(3):
        (request,), problem = heard([asked], known)
        assert problem is None
        assert request[1] is False


def test_headers_are_remembered() -> None:
    """Otherwise the other tests of this file compare the parser with itself."""
    known = KnownHeaders()
    for token in (b"one", b"two"):
        for _ in range(3):
            (request,), _ = heard(
                [b"POST /x HTTP/1.1\r\nHost: a\r\nX: %s\r\nContent-Length: 2\r\n\r\n{}" % token], known
            )
            assert (b"x", token) in request[0]["headers"]
    assert len(known.blocks) == 2
    known.forget()
    assert not known.blocks


def test_no_more_is_remembered_than_there_is_place_for() -> None:
    known = KnownHeaders()
    for number in range(BLOCKS_MAX + 5):
        heard([b"GET / HTTP/1.1\r\nHost: a\r\nX: %d\r\n\r\n" % number], known)
    assert 0 < len(known.blocks) <= BLOCKS_MAX


@pytest.mark.parametrize("warm", [False, True])
def test_a_head_has_its_limit_also_where_its_headers_are_known(warm: bool) -> None:
    known = KnownHeaders()
    headers = b" HTTP/1.1\r\nHost: a\r\n\r\n"
    for _ in range(2 if warm else 0):
        heard([b"GET /" + headers], known)
    for size, expected in ((400, None), (401, "HEADERS_TOO_LARGE")):
        asked = b"GET /" + b"a" * (size - 5 - len(headers)) + headers
        found, problem = heard([asked], known, most=400)
        assert (len(found), problem) == (0 if expected else 1, expected)


@pytest.mark.parametrize(
    ("zeros", "expected"), [(0, None), (18, None), (30, "MALFORMED_REQUEST"), (5000, "MALFORMED_REQUEST")]
)
def test_a_length_with_thousands_of_digits_is_no_bug_of_ours(zeros: int, expected: str | None) -> None:
    found, problem = heard([b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"0" * zeros + b"2\r\n\r\n{}"])
    assert problem == expected
    assert len(found) == (0 if expected else 1)

"""The load itself: its times do not wait for answers, and what is not answered counts."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from sternpost.load.generator import Generator, content_length
from sternpost.load.histogram import Histogram
from sternpost.load.job import Answered, Calls, Job, Outcome

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
REQUEST = "GET / HTTP/1.1\r\nhost: test\r\n\r\n"


@contextmanager
def answering(answer: Callable[[int], bytes | None]) -> Iterator[int]:
    """A server whose answers are those of a function, by the number of the request; None closes the connection."""
    numbers, lock = iter(range(1_000_000)), threading.Lock()
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with connection:
            while connection.recv(65_536):
                with lock:
                    number = next(numbers)
                told = answer(number)
                if told is None:
                    return
                connection.sendall(told)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def outcome(port: int, rate: float = 200.0, seconds: float = 1.0, connections: int = 16) -> Outcome:
    return Generator(Job("127.0.0.1", port, (Calls("read", rate, (REQUEST,)),), seconds, connections, 1)).run()


def test_a_stall_is_charged_for_all_who_had_to_wait() -> None:
    """One answer takes 0.6 s, on the only connection: what was due meanwhile waits, and its waiting counts."""

    def answer(number: int) -> bytes:
        if number == 20:
            time.sleep(0.6)
        return OK

    with answering(answer) as port:
        found = Histogram.decoded(outcome(port, connections=1).answered["read"].latencies)
    assert found.percentile_ms(100) >= 590
    assert found.percentile_ms(75) >= 100, "a closed loop would have counted one slow answer"


def test_calls_come_at_the_rate_that_was_asked_for() -> None:
    with answering(lambda _: OK) as port:
        found = outcome(port, rate=400.0)
    (answered,) = found.answered.values()
    assert 300 <= answered.statuses["200"] <= 500
    assert found.connections >= 1


def test_operations_share_the_load_as_their_rates_say() -> None:
    calls = (Calls("often", 300.0, (REQUEST,)), Calls("seldom", 100.0, (REQUEST,)))
    with answering(lambda _: OK) as port:
        found = Generator(Job("127.0.0.1", port, calls, 1.0, 16, 1)).run()
    often, seldom = (found.answered[name].statuses["200"] for name in ("often", "seldom"))
    assert 2 < often / seldom < 4.5


@pytest.mark.parametrize(
    "answer",
    [None, b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n"],
    ids=["closed", "in chunks", "without a length"],
)
def test_what_is_not_answered_counts(answer: bytes | None) -> None:
    with answering(lambda number: answer if number % 2 else OK) as port:
        (answered,) = outcome(port).answered.values()
    assert set(answered.statuses) == {"0", "200"}
    assert sum(answered.statuses.values()) > 100


def test_errors_are_counted_by_their_status() -> None:
    failed = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
    with answering(lambda number: failed if number % 2 else OK) as port:
        (answered,) = outcome(port).answered.values()
    assert set(answered.statuses) == {"200", "503"}


def test_an_answer_in_pieces_is_one() -> None:
    content = b"x" * 300_000
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + content
    with answering(lambda _: large) as port:
        (answered,) = outcome(port, rate=50.0).answered.values()
    assert set(answered.statuses) == {"200"}


@pytest.mark.parametrize(
    ("head", "length"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 12", 12),
        (b"HTTP/1.1 204 No Content\r\ndate: x", 0),
        (b"HTTP/1.1 304 Not Modified", 0),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked", None),
        (b"HTTP/1.1 200 OK", None),
    ],
)
def test_where_an_answer_ends(head: bytes, length: int | None) -> None:
    assert content_length(head) == length


def test_jobs_and_outcomes_go_as_text() -> None:
    job = Job("127.0.0.1", 1, (Calls("read", 2.0, (REQUEST,)),), 1.0, 4, 7)
    assert Job.from_json(job.to_json()) == job
    found = Outcome({"read": Answered(Histogram().encoded(), {"200": 3})}, Histogram().encoded(), 1.0, 0.5, 2)
    assert Outcome.from_json(found.to_json()) == found


def test_times_are_kept_with_three_digits() -> None:
    found = Histogram()
    for milliseconds in range(1, 1001):
        found.record(milliseconds / 1000)
    again = Histogram.decoded(found.encoded())
    assert again.percentile_ms(50) == pytest.approx(500, rel=0.002)
    assert again.percentile_ms(99) == pytest.approx(990, rel=0.002)
    found.record(10_000)
    assert found.percentile_ms(100) == pytest.approx(120_000, rel=0.002)

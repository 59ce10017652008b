"""The load generator against servers that do what it must notice; the rows of both databases; and a whole small round."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import sqlite3
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from benchmarks.databases import Sqlite
from benchmarks.generated import application, prefix
from benchmarks.load import Generator, Job, LoadError, content_length
from benchmarks.measure import Course, Sample, measure
from benchmarks.rows import Size, ranges
from benchmarks.scale import PAGES, cursor_paths
from benchmarks.sink import Counter
from benchmarks.stacks import STACKS, serving, tokens
from benchmarks.workloads import WORKLOADS, Target, encoder, row_id, uuid_text

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def target(port: int = 1, style: str = "uuid") -> Target:
    return Target("127.0.0.1", port, style, ["t0", "t1", "t2"], 100, 50, "run", 7)


@contextmanager
def server(answer: Callable[[int, bytes], bytes | None]) -> Iterator[int]:
    """A server that answers its n-th request as it is told to, or never; gives its port."""
    loop = asyncio.new_event_loop()
    count = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                number, count = count, count + 1
                if (content := answer(number, head)) is not None:
                    writer.write(content)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:

        async def end() -> None:
            listening.close()
            await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))  # their connections are closed

        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def test_requests() -> None:
    encode = encoder(WORKLOADS["W1"], target(8080))
    first, second = encode(), encode()
    assert first.startswith(b"GET /api/v1/users/019b76da-")
    assert b"\r\nHost: 127.0.0.1:8080\r\nOrigin: https://app.example\r\nAuthorization: Bearer t1\r\n\r\n" in first
    assert b"Bearer t2" in second
    assert first.split(b" ")[1] != second.split(b" ")[1]
    assert encoder(WORKLOADS["W1"], target(style="prefixed"))().startswith(b"GET /api/v1/users/usr_019b76da")
    made = encoder(WORKLOADS["W3"], target())
    bodies = [made().partition(b"\r\n\r\n") for _ in range(2)]
    assert bodies[0][2] == b'{"name": "Bench 1", "email": "run-1@bench.example"}'
    assert f"Content-Length: {len(bodies[0][2])}\r\n".encode() in bodies[0][0] + b"\r\n"
    assert bodies[0][2] != bodies[1][2]
    assert encoder(WORKLOADS["W2"], target())().startswith(b"GET /api/v1/users?status=pending&page=1&pageSize=20 ")
    any_page = encoder(WORKLOADS["W2p"], target())
    pages = {any_page().split(b"page=")[1].split(b"&")[0] for _ in range(200)}
    assert pages == {b"1", b"2", b"3"}, "50 pending rows are three pages"


def test_closed_loop_counts_what_is_answered() -> None:
    with server(lambda number, head: ANSWER) as port:
        result = Generator(Job(target(port), "W1", 4, 0.3, 0.1)).run()
    assert result.answered > 20
    assert result.per_second == result.answered / result.seconds
    assert 0 < result.latencies[0] <= result.latencies[2] <= result.latencies[3] < 1


def test_an_answer_may_come_in_pieces() -> None:
    with server(lambda number, head: ANSWER[:-1] if number == 0 else b"}" + ANSWER) as port:
        generator = Generator(Job(target(port), "W1", 1, 0.1))
        generator.connect()
        try:
            connection = generator.idle.popleft()
            generator.send(connection, 0.0)
            while len(connection.received) < len(ANSWER) - 1:
                generator.poll.poll(1.0)
                assert not generator.receive(connection, 1.0)
            assert generator.latencies == []
            connection.received += b"}"
            generator.send(connection, 0.0)
            generator.poll.poll(1.0)
            assert generator.receive(connection, 1.0)
        finally:
            generator.close()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\noops", "500 Internal Server Error"),
        (b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}", "201 Created"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "no Content-Length"),
    ],
)
def test_one_wrong_answer_voids_the_run(answer: bytes, said: str) -> None:
    with (
        server(lambda number, head: answer if number == 50 else ANSWER) as port,
        pytest.raises(LoadError, match=said),
    ):
        Generator(Job(target(port), "W1", 4, 5.0)).run()


def test_latency_counts_from_when_a_request_was_due() -> None:
    """A server that stops answering for a while: with one connection, all that were due meanwhile had to wait."""
    stalled = threading.Event()

    def answer(number: int, head: bytes) -> bytes:
        if number == 20:
            stalled.wait(0.3)
        return ANSWER

    with server(answer) as port:
        result = Generator(Job(target(port), "W1", 1, 1.0, rate=200.0)).run()
    p50, p90, p99, longest = result.latencies
    assert longest >= 0.3
    # about 60 requests were due within the 0.3 s; counted from when they were sent, one would have been slow
    assert p90 > 0.1, (p50, p90, p99, longest)
    assert p50 < 0.1


def test_a_rate_that_is_too_high_is_said() -> None:
    def answer(number: int, head: bytes) -> bytes:
        threading.Event().wait(0.02)
        return ANSWER

    with server(answer) as port, pytest.raises(LoadError, match="more than the server answers"):
        Generator(Job(target(port), "W1", 2, 1.0, rate=2000.0)).run()


def test_content_length() -> None:
    assert content_length(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nDate: x") == 12
    assert content_length(b"HTTP/1.1 200 OK\r\ndate: x\r\ncontent-length:7") == 7


def test_a_job_survives_its_way_to_the_other_process() -> None:
    job = Job(target(), "W2", 32, 1.5, 0.5, 100.0, {"server": 12})
    assert Job.from_json(job.to_json()) == job


def test_rows_are_those_that_are_asked_for(tmp_path: Path) -> None:
    size = Size(2000, 500, 40)
    with closing(Sqlite(tmp_path / "files")) as database:
        shown: list[tuple[int, int]] = []
        database.load(size, lambda done, total: shown.append((done, total)))
        assert shown[-1] == (2500, 2500)
        with closing(sqlite3.connect(database.template())) as connection:
            ids = [row[0] for row in connection.execute("SELECT id FROM users ORDER BY id")]
            assert ids == [row_id(1, number) for number in range(2000)]
            pending = connection.execute("SELECT count(*) FROM users WHERE status = 'pending'").fetchone()
            assert pending == (40,)
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            orders = connection.execute("SELECT count(DISTINCT user_id), count(*) FROM orders").fetchone()
            assert orders == (500, 500)
    assert uuid_text(ids[1]) == f"{ids[1][:8]}-{ids[1][8:12]}-7001-{ids[1][16:20]}-{ids[1][20:]}"


def test_ranges_leave_nothing_out() -> None:
    found = list(ranges(Size(120_000, 30_000, 10)))
    assert found == [
        ("users", 0, 50_000),
        ("users", 50_000, 100_000),
        ("users", 100_000, 120_000),
        ("orders", 0, 30_000),
    ]


@pytest.mark.slow
def test_a_small_round(tmp_path: Path) -> None:
    """Sternpost itself, started as a user starts it, on SQLite."""
    own = [stack for stack in STACKS if stack.name == "sternpost"]
    size = Size(1000, 100, 40)
    course = Course(own, ["W3", "W1", "W2p", "W2"], [4], 1, 0.2, 0.1, size)
    samples: list[Sample] = []
    with closing(Sqlite(tmp_path / "files")) as database:
        database.load(size, lambda done, total: None)
        measure(course, database, tokens(), samples.append)
    assert [found.workload for found in samples] == ["W1", "W2", "W2p", "W3"]
    for found in samples:
        assert found.result.answered > 0
        assert (found.result.cpu_us("server") or 0) > 10
        assert found.result.cpu_us("database") is None
        assert found.resident_bytes > 2e7
        assert found.start_seconds > 0.1
        assert found.start_cpu_seconds > 0.1
        assert found.result.others_cores >= 0


def test_contracts_with_many_resources_compile() -> None:
    made = application(30)
    spec = importlib.util.spec_from_file_location("many30", made.folder / "many30.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["many30"] = module  # annotations are looked up there
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules["many30"]
    assert len(module.app.plan.resources) == 30
    assert len({prefix(number) for number in range(1, 200)}) == 199


@pytest.mark.slow
def test_pages_by_cursor_begin_where_they_should(tmp_path: Path) -> None:
    """Walked to as a client does; the page behind row 230 begins with row 231."""
    (own,) = [stack for stack in STACKS if stack.name == "sternpost"]
    with closing(Sqlite(tmp_path / "files")) as database:
        url = database.load(Size(1500, 0, 10), lambda done, total: None)
        (token, *_) = tokens()
        with serving(own, url) as server:
            paths = cursor_paths(server, token, 230)
            assert len(set(paths)) == PAGES
            for index in (0, 1, PAGES - 1):
                headers = {"Authorization": f"Bearer {token}"}
                request = urllib.request.Request(f"http://127.0.0.1:{server.port}{paths[index]}", headers=headers)
                with urllib.request.urlopen(request) as response:
                    first = json.load(response)["data"][0]
                assert first["id"] == f"usr_{row_id(1, 230 + index * 20)}"


def heads(workload: str, count: int) -> list[list[bytes]]:
    encode = encoder(WORKLOADS[workload], target())
    return [encode().partition(b"\r\n\r\n")[0].split(b"\r\n")[1:] for _ in range(count)]


def test_requests_come_from_a_page_with_a_token_each() -> None:
    found = heads("W1", 3)
    assert all(b"Origin: https://app.example" in lines for lines in found)
    tokens = {line for lines in found for line in lines if line.startswith(b"Authorization: ")}
    assert tokens == {b"Authorization: Bearer t0", b"Authorization: Bearer t1", b"Authorization: Bearer t2"}


def test_anonymous_requests_differ_in_the_token_alone() -> None:
    for lines in heads("W1a", 3):
        assert lines == [line for line in heads("W1", 1)[0] if not line.startswith(b"Authorization: ")]


def test_spans_are_counted_while_it_is_measured(tmp_path: Path) -> None:
    """Those of the time before do not count."""
    counter = Counter(tmp_path / "spans")
    counter.add(1000)

    def answer(number: int, head: bytes) -> bytes:
        counter.add(1)
        return ANSWER

    with server(answer) as port:
        result = Generator(Job(target(port), "W1", 1, 0.2, 0.1, spans=str(tmp_path / "spans"))).run()
    assert result.spans is not None
    assert abs(result.spans - result.answered) <= 1  # one may be on its way at the beginning, and one at the end


def test_without_a_sink_no_spans_are_told() -> None:
    with server(lambda number, head: ANSWER) as port:
        assert Generator(Job(target(port), "W1", 1, 0.1)).run().spans is None

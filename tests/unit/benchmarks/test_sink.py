"""The sink of spans counts what exporters send, however they send it."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.sink import Sink, SinkError, count_spans, open_sink, read_count


def field(number: int, content: bytes) -> bytes:
    """A field of kind 2 (Protocol Buffers, Encoding); a length of 128 and more takes two bytes."""
    length = len(content)
    size = bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])
    return bytes([number << 3 | 2]) + size + content


def export(*scopes: int) -> bytes:
    """An `ExportTraceServiceRequest` with a scope for each number of spans."""
    span = field(1, b"t" * 16) + field(5, b"GET /x") + b"\x30\x02" + b"\x39" + b"\0" * 8  # with a number and a fixed64
    found = [field(2, field(1, b"scope") + field(2, span) * count) for count in scopes]
    return field(1, field(1, b"resource") + b"".join(found))


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[Sink]:
    with open_sink(tmp_path / "spans") as sink:
        yield sink


def connect(sink: Sink) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(sink.endpoint.removeprefix("http://"), timeout=10)


def test_spans_of_all_scopes_and_resources_are_counted() -> None:
    assert count_spans(export(2, 3) + export(1)) == 6
    assert count_spans(export(0)) == 0
    assert count_spans(b"") == 0


@pytest.mark.parametrize("broken", [export(2)[:-1], b"\x0a", b"\x0b\x00", b"\x80"])
def test_what_is_no_such_message_is_said(broken: bytes) -> None:
    with pytest.raises(SinkError):
        count_spans(broken)


def test_every_way_of_sending_is_counted_on_one_connection(sink: Sink) -> None:
    assert read_count(sink.counter) == 0
    connection = connect(sink)
    kind = {"Content-Type": "application/x-protobuf"}
    ways: list[tuple[object, dict[str, str], bool]] = [
        (export(5), kind, False),
        (gzip.compress(export(3)), kind | {"Content-Encoding": "gzip"}, False),
        (iter([export(4)[:7], export(4)[7:]]), kind | {"Transfer-Encoding": "chunked"}, True),
    ]
    counts: list[int] = []
    for body, headers, chunked in ways:
        connection.request("POST", "/v1/traces", body, headers, encode_chunked=chunked)  # pyright: ignore
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")
        counts.append(read_count(sink.counter))
    connection.close()
    assert counts == [5, 8, 12]


def test_what_is_no_trace_is_taken_and_not_counted(sink: Sink) -> None:
    connection = connect(sink)
    for path in ("/v1/logs", "/v1/metrics"):
        connection.request("POST", path, json.dumps({}))
        assert connection.getresponse().read() == b""
    connection.close()
    assert read_count(sink.counter) == 0


def test_a_new_sink_begins_at_none(tmp_path: Path) -> None:
    path = tmp_path / "spans"
    path.write_text("17")
    with open_sink(path):
        assert read_count(path) == 0

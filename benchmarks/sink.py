"""Where spans go: a process that takes OTLP over HTTP, counts the spans and drops them. The same one for every stack.

`python -m benchmarks.sink FILE` prints its port, and keeps the number of spans in the file, as twenty digits: the load
generator reads it at the same moments as the CPU, without a request that would have to be answered.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any

ROOT = Path(__file__).parents[1]
LOCALHOST = "127.0.0.1"
DIGITS = 20
TRACES = "/v1/traces"
RESOURCE_SPANS, SCOPE_SPANS, SPANS = 1, 2, 2
"""Fields of `ExportTraceServiceRequest`, `ResourceSpans` and `ScopeSpans` (opentelemetry-proto, trace.proto)."""


class SinkError(Exception):
    """The sink did not start, or was sent what it cannot read."""


def members(message: bytes, wanted: int) -> list[bytes]:
    """The messages in a field of a protobuf message; other fields are stepped over (Protocol Buffers, Encoding).

    Raises:
        SinkError: these bytes are no such message.
    """
    found: list[bytes] = []
    position = 0
    while position < len(message):
        tag, position = varint(message, position)
        kind = tag & 7
        if kind == 0:
            _, position = varint(message, position)
        elif kind == 2:
            length, position = varint(message, position)
            if tag >> 3 == wanted:
                found.append(message[position : position + length])
            position += length
        elif kind in (1, 5):
            position += 8 if kind == 1 else 4
        else:
            raise SinkError(f"a field of the unknown kind {kind}")
    if position > len(message):
        raise SinkError("a message ends in the middle of a field")
    return found


def varint(message: bytes, position: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where the next field begins."""
    value = shift = 0
    while position < len(message):
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise SinkError("a message ends in the middle of a number")


def count_spans(request: bytes) -> int:
    """How many spans an `ExportTraceServiceRequest` has."""
    return sum(
        len(members(scope, SPANS))
        for resource in members(request, RESOURCE_SPANS)
        for scope in members(resource, SCOPE_SPANS)
    )


class Counter:
    """A number that is kept in a file."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        self._lock = Lock()
        self._total = 0
        self.add(0)

    def add(self, number: int) -> None:
        with self._lock:
            self._total += number
            os.pwrite(self._file, b"%0*d" % (DIGITS, self._total), 0)


def read_count(path: Path) -> int:
    """What the counter stands at."""
    return int(path.read_bytes())


class Taker(BaseHTTPRequestHandler):
    """Answers every export with success; connections are kept alive."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, counter: Counter, *arguments: Any) -> None:
        self._counter = counter
        super().__init__(*arguments)  # serves the whole connection

    def do_POST(self) -> None:
        body = self._body()
        if self.path == TRACES:
            unpacked = gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body
            self._counter.add(count_spans(unpacked))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"]))
        parts: list[bytes] = []
        while length := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(length))
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue  # trailers, and the empty line after them
        return b"".join(parts)

    def log_message(self, format: str, *args: object) -> None:
        return


@dataclass(frozen=True)
class Sink:
    """A running sink.

    Attributes:
        endpoint: what `OTEL_EXPORTER_OTLP_ENDPOINT` is set to.
        counter: the file with the number of spans so far.
    """

    pid: int
    endpoint: str
    counter: Path


@contextmanager
def open_sink(counter: Path) -> Generator[Sink]:
    """Starts a sink that has counted nothing, and ends it.

    Raises:
        SinkError: it did not start.
    """
    command = [sys.executable, "-m", "benchmarks.sink", str(counter)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            port = process.stdout.readline().strip()
            if not port:
                raise SinkError("the sink of spans did not start")
            yield Sink(process.pid, f"http://{LOCALHOST}:{int(port)}", counter)
        finally:
            process.terminate()


def main() -> None:
    """Serves until it is ended."""
    server = ThreadingHTTPServer((LOCALHOST, 0), partial(Taker, Counter(Path(sys.argv[1]))))
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()

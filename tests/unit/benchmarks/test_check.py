"""What a stack that is called hardened must do before it is measured: send its spans, and know its pages' origins."""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmarks.check import SPANS_CHECKED, Unequal, check_cross_origin, check_spans
from benchmarks.sink import open_sink
from benchmarks.stacks import STACKS, Server
from benchmarks.workloads import ORIGIN

SPAN = b"\x0a\x04\x12\x02\x12\x00"
"""The shortest `ExportTraceServiceRequest` with one span."""


@contextmanager
def hardened(folder: Path, *, spans: int = 1, allows: tuple[str, ...] = (ORIGIN,)) -> Iterator[Server]:
    """A server that sends so many spans of each request, and lets pages of these origins read its answers."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            for _ in range(spans):
                post(sink.endpoint)
            self.send_response(200)
            if self.headers["Origin"] in allows:
                self.send_header("Access-Control-Allow-Origin", self.headers["Origin"])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=listening.serve_forever)
    stack = next(stack for stack in STACKS if stack.exports)
    with open_sink(folder / "spans") as sink, subprocess.Popen([sys.executable, "-c", ""]) as process:
        thread.start()
        try:
            yield Server(stack, process, listening.server_address[1], 0.0, 0.0, folder / "log", sink)
        finally:
            listening.shutdown()
            listening.server_close()
            thread.join()


def post(endpoint: str) -> None:
    connection = http.client.HTTPConnection(endpoint.removeprefix("http://"), timeout=10)
    connection.request("POST", "/v1/traces", SPAN)
    connection.getresponse().read()
    connection.close()


def test_a_span_of_each_request_is_what_is_wanted(tmp_path: Path) -> None:
    with hardened(tmp_path) as server:
        check_spans(server, "/", "token", most_seconds=5, quiet=0.1)


@pytest.mark.parametrize("spans", [0, 2])
def test_none_or_several_are_refused(spans: int, tmp_path: Path) -> None:
    said = "0 spans came" if spans == 0 else f"{SPANS_CHECKED * 2} spans of {SPANS_CHECKED} requests"
    with hardened(tmp_path, spans=spans) as server, pytest.raises(Unequal, match=said):
        check_spans(server, "/", "token", most_seconds=0.2, quiet=0.1)


def test_pages_of_the_origin_may_read_and_no_others(tmp_path: Path) -> None:
    with hardened(tmp_path, spans=0) as server:
        check_cross_origin(server, "/", "token")


@pytest.mark.parametrize("allows", [(), (ORIGIN, "https://other.example")])
def test_no_page_or_every_page_is_refused(allows: tuple[str, ...], tmp_path: Path) -> None:
    with hardened(tmp_path, spans=0, allows=allows) as server, pytest.raises(Unequal, match="pages of"):
        check_cross_origin(server, "/", "token")

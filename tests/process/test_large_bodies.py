"""A body that is too large is refused so that its sender reads why, though it has not sent all of it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Process, serving

SIZE = 12_000_000
"""More than the buffers of a connection hold, so that some of it is unread when the answer is written."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with serving("shop.app:app", tmp_path_factory.mktemp("shop")) as server:
        yield server


@pytest.mark.parametrize("head", [b"content-length: %d" % SIZE, b"transfer-encoding: chunked"])
def test_the_sender_reads_the_answer(server: Process, head: bytes, tmp_path: Path) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as opened:
        opened.sendall(
            b"POST /api/v1/users HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n" + head + b"\r\n\r\n"
        )
        body = b"x" * SIZE if head.startswith(b"content") else b"%x\r\n" % SIZE + b"x" * SIZE + b"\r\n0\r\n\r\n"
        opened.sendall(body)  # as clients do that send all of it before they read
        assert opened.recv(65_536).startswith(b"HTTP/1.1 413 ")

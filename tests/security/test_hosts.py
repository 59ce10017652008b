"""A request names exactly one host, wherever it goes."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.support.server import serving

REQUESTS = {
    "none": ("HTTP/1.1", (), 400),
    "two": ("HTTP/1.1", ("Host: a", "Host: b"), 400),
    "twice the same": ("HTTP/1.1", ("Host: a", "Host: a"), 400),
    "one": ("HTTP/1.1", ("Host: a",), 200),
    "none in HTTP/1.0": ("HTTP/1.0", (), 200),
    "two in HTTP/1.0": ("HTTP/1.0", ("Host: a", "Host: b"), 400),
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving("shop.app:app", tmp_path_factory.mktemp("hosts")) as server:
        yield server.port


@pytest.mark.parametrize("path", ["/api/v1/products", "/health", "/openapi.json"])
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_names_one_host(port: int, name: str, path: str) -> None:
    version, hosts, status = REQUESTS[name]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        lines = [f"GET {path} {version}", *hosts, "Connection: close", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    assert answer.split(b" ", 2)[1] == str(status).encode(), answer[:400]
    assert status == 200 or b'"path":"Host"' in answer

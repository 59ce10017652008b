"""Requests leave nothing behind that only the garbage collector can free: its pauses are what slow answers are made of."""

from __future__ import annotations

import http.client
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from sternpost.auth.jwt import make_token
from tests.conftest import DATABASES, shared_database
from tests.support.server import SECRET, send, serving

REQUESTS = 100


@pytest.fixture(scope="module", params=DATABASES)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[http.client.HTTPConnection, str]]:
    """A connection to a server of its own, which all tests share, and the id of a user there."""
    folder = tmp_path_factory.mktemp("served")
    with (
        shared_database(request.param, request) as url,
        serving("tests.process.counting_service:app", folder, STERNPOST_DATABASE_URL=url) as server,
        closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection,
    ):
        _, made = send(connection, "POST", "/api/v1/users", {"name": "First", "email": "first@shop.example"})
        yield connection, made["data"]["id"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/api/v1/users/{id}", None, 200),
        ("GET", "/api/v1/users?status=active&page=1&pageSize=20", None, 200),
        ("GET", "/api/v1/users?fields=name&cursor=", None, 200),
        ("POST", "/api/v1/users", {"name": "Ada Lovelace", "email": "ada{number}@shop.example"}, 201),
        ("PATCH", "/api/v1/users/{id}", {"name": "Ada King"}, 200),
        ("GET", "/api/v1/users/usr_0", None, 404),
        ("POST", "/api/v1/users", {"name": ""}, 400),
        ("GET", "/health", None, 200),
    ],
)
def test_requests_leave_no_cycles(
    served: tuple[http.client.HTTPConnection, str], method: str, path: str, body: dict[str, Any] | None, status: int
) -> None:
    connection, user = served
    now = int(time.time())
    token = make_token(SECRET, subject="usr_" + "0" * 32, scopes=["users:admin"], issued=now, expires=now + 600)

    def ask(number: int) -> None:
        sent = body and {name: value.format(number=number) for name, value in body.items()}
        found, answer = send(connection, method, path.format(id=user), sent, token)
        assert found == status, answer

    for number in range(10):  # what is made once is made now
        ask(number)
    send(connection, "GET", "/garbage")
    for number in range(REQUESTS):
        ask(10 + number)
    _, garbage = send(connection, "GET", "/garbage")
    assert sum(garbage.values()) < REQUESTS, garbage  # less than one object for each

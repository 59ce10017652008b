"""A request says once who sends it, on every way to the service."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import permutations

import pytest

from sternpost import Browse, Contract, Create, Resource, Settings, Sternpost, authenticated, public
from sternpost.auth.jwt import make_token
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.support.server import SECRET, serving

URL = "/api/v1/notes"


class Note(Resource, prefix="not"):
    text: str

    browse = Browse(allow=public)
    create = Create(allow=authenticated)


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    app = Sternpost(Contract("notes", resources=[Note]), settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        yield client


async def test_two_authorization_headers_are_refused(client: Client, log_lines: LogLines) -> None:
    """Also where both are valid, and the same: who reads the first takes another caller than who reads the last."""
    ada, bob = (f"Bearer {client.token(name)}" for name in ("ada", "bob"))
    sent = [(ada, ada), *permutations((ada, bob, "Bearer nonsense", "Basic YTpi", ""), 2), (ada, bob, ada)]
    for values in sent:
        headers = [("authorization", value) for value in values]
        for method, body in (("GET", None), ("POST", {"text": "x"})):
            answer = await client.request(method, URL, json=body, headers=headers)
            assert answer.status == 401, (method, values, answer.content)
            assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
            assert log_lines.lines[-2]["reason"] == "not exactly one Bearer token"
            assert log_lines.requests[-1]["userId"] is None
    assert (await client.get(URL)).data == []
    assert (await client.post(URL, json={"text": "x"}, headers=[("authorization", ada)])).status == 201


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer  ", "Basic {token}", "{token}", "Token {token}", ""])
async def test_what_is_no_bearer_token_is_refused_also_where_none_is_needed(client: Client, value: str) -> None:
    headers = {"authorization": value.format(token=client.token("ada"))}
    assert (await client.get(URL, headers=headers)).status == 401
    assert (await client.get(URL)).status == 200


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with serving("shop.app:app", tmp_path_factory.mktemp("credentials")) as server:
        yield server.port


@pytest.mark.parametrize(("names", "status"), [(("ada",), 200), (("ada", "ada"), 401), (("ada", "bob"), 401)])
def test_a_server_joins_no_headers_before(port: int, names: tuple[str, ...], status: int) -> None:
    tokens = [make_token(SECRET, subject=name, scopes=[], issued=0, expires=4_000_000_000) for name in names]
    lines = ["GET /api/v1/products HTTP/1.1", "Host: a", "Connection: close"]
    lines += [
        f"{name}: Bearer {token}" for name, token in zip(("Authorization", "AUTHORIZATION"), tokens, strict=False)
    ]
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    assert answer.split(b" ", 2)[1] == str(status).encode(), answer[:400]


async def test_credentials_that_are_sent_count_also_where_none_are_needed(client: Client) -> None:
    """Who believes to be somebody is not answered as nobody."""
    good = client.token("ada")
    header, claims, signature = good.split(".")
    forged = f"{header}.{claims}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    steps = {"operations": [{"operation": "notes.browse"}]}
    for token, status in ((good, 200), (forged, 401), (client.token("ada", seconds=-60), 401), ("nonsense", 401)):
        for method, path, body in (("GET", URL, None), ("HEAD", URL, None), ("POST", "/api/v1/$batch", steps)):
            answer = await client.request(method, path, json=body, token=token)
            assert answer.status == status, (method, path, answer.content)

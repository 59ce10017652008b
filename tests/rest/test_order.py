"""The order on the way of a call: who calls is known first, and nothing is opened before that. On each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Read,
    Resource,
    Settings,
    Sternpost,
    Update,
    authenticated,
    field,
    public,
)
from sternpost.app.drivers import make_storage
from sternpost.errors import InvalidCredentials
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Session
from sternpost.storage.postgresql.database import PostgresqlStorage
from sternpost.storage.sqlite.database import SqliteStorage
from sternpost.testing import Client
from tests.conftest import LogLines

BATCH = "/api/v1/$batch"
JSON = {"content-type": "application/json"}


class Note(Resource, prefix="not"):
    """Something written down, by somebody who is known."""

    text: str = field(max_length=20)

    browse = Browse(allow=authenticated)
    read = Read(allow=authenticated)
    create = Create(allow=authenticated)
    update = Update(allow=authenticated)


class Remark(Resource, prefix="rem"):
    """Something that everybody may write down, in time."""

    text: str = field(max_length=20)

    browse = Browse(allow=public)
    create = Create(allow=public, timeout=0.3)


class Storage:
    """Counts the transactions that are open."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.running = self.opened = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @asynccontextmanager
    async def transaction(self, *args: Any, **options: Any) -> AsyncIterator[Session]:
        async with self.inner.transaction(*args, **options) as session:
            self.running, self.opened = self.running + 1, self.opened + 1
            try:
                yield session
            finally:
                self.running -= 1


class Doorkeeper:
    """Knows one token, and notes how many transactions are open each time it is asked."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.asked: list[int] = []

    async def authenticate(self, token: str) -> Principal:
        self.asked.append(self.storage.running)
        if token != "good":
            raise InvalidCredentials
        return Principal("ada", frozenset())

    async def close(self) -> None:
        """It holds nothing."""


@pytest.fixture
def serve(make_settings: Callable[..., Settings], log_lines: LogLines) -> Callable[..., Any]:
    @asynccontextmanager
    async def served(*resources: type[Resource]) -> AsyncIterator[tuple[Client, Storage, Doorkeeper]]:
        settings = make_settings(max_body_bytes=8000)
        storage: Any = Storage(make_storage(settings))
        doorkeeper = Doorkeeper(storage)
        app = Sternpost(
            Contract("order", resources=list(resources)),
            settings=settings,
            storage=storage,
            authenticator=doorkeeper,
            write_log=log_lines,
        )
        async with Client(app) as client:
            yield client, storage, doorkeeper

    return served


async def test_who_calls_is_told_before_what_is_wrong(serve: Callable[..., Any]) -> None:
    asked: list[tuple[str, str, dict[str, str], bytes, int]] = [
        ("GET", "/api/v1/notes?a=%ff", {}, b"", 400),
        ("GET", "/api/v1/notes?page=0", {}, b"", 400),
        ("GET", "/api/v1/notes", {"accept": "text/html"}, b"", 406),
        ("GET", "/api/v1/notes/nonsense", {}, b"", 404),
        ("POST", "/api/v1/notes", JSON, b"{", 400),
        ("POST", "/api/v1/notes?a=1", JSON, b'{"text": "a"}', 400),
        ("POST", "/api/v1/notes", {"content-type": "text/plain"}, b'{"text": "a"}', 415),
        ("POST", "/api/v1/notes", JSON, b" " * 9000, 413),
        ("POST", "/api/v1/notes", {**JSON, "content-length": "9000"}, b"", 413),
        ("PATCH", "/api/v1/notes/not_1", {**JSON, "if-match": "7"}, b"{}", 400),
        ("POST", BATCH, JSON, b"{", 400),
        ("POST", BATCH, JSON, b'{"operations": [{"operation": "nothing"}]}', 400),
        ("POST", BATCH + "?a=%ff", JSON, b'{"operations": [{"operation": "notes.browse"}]}', 400),
        ("POST", BATCH, {"content-type": "text/plain"}, b"{}", 415),
    ]
    async with serve(Note) as (client, storage, _):
        for method, url, headers, content, status in asked:
            stranger = await client.request(method, url, headers=headers, content=content)
            unknown = await client.request(method, url, headers=headers, content=content, token="bad")
            known = await client.request(method, url, headers=headers, content=content, token="good")
            assert (stranger.status, unknown.status, known.status) == (401, 401, status), (method, url)
        assert storage.opened == 0, "nothing of this needs a transaction"
        # what is no question of who calls is told to everybody
        assert (await client.get("/api/v1/nowhere")).status == 404
        assert (await client.request("DELETE", "/api/v1/notes")).status == 405


async def test_a_batch_that_strangers_may_send(serve: Callable[..., Any]) -> None:
    """Where one operation is open to everybody, a batch is: then its steps say whether a caller is needed."""
    steps = [{"operation": "remarks.create", "body": {}}, {"operation": "notes.create", "body": {"text": "a"}}]
    async with serve(Note, Remark) as (client, storage, doorkeeper):
        assert (await client.request("POST", BATCH, headers=JSON, content=b"{")).status == 400
        assert (await client.request("POST", BATCH, headers=JSON, content=b"{", token="bad")).status == 401
        told = await client.post(BATCH, json={"operations": steps})
        assert (told.status, told.error["details"][0]["path"]) == (401, "operations.1")
        assert (storage.opened, doorkeeper.asked) == (0, [0])
        known = await client.post(BATCH, json={"operations": steps}, token="good")
        assert (known.status, known.error["details"][0]["path"]) == (400, "operations.0.text")
        steps[0]["body"] = {"text": "b"}
        assert (await client.post(BATCH, json={"operations": steps}, token="good")).status == 200
        assert (await client.post(BATCH, json={"operations": steps[:1]})).status == 200


async def test_a_batch_asks_once_who_calls(serve: Callable[..., Any], log_lines: LogLines) -> None:
    steps = [{"operation": "notes.create", "body": {"text": str(number)}} for number in range(10)]
    async with serve(Note) as (client, storage, doorkeeper):
        done = await client.post(BATCH, json={"operations": steps}, token="good")
        assert [result["status"] for result in done.data] == [201] * 10
        assert doorkeeper.asked == [0], "once, and before the transaction"
        assert storage.opened == 1
        too_many = await client.post(BATCH, json={"operations": steps * 6}, token="good")
        assert (too_many.status, too_many.error["details"][0]["code"]) == (400, "too_long")
        assert storage.opened == 1
    line = next(line for line in log_lines.requests if line["status"] == 200)
    assert (line["operation"], line["userId"], line["statements"]) == ("$batch", "ada", 10)


async def test_every_transaction_begins_after_authentication(serve: Callable[..., Any]) -> None:
    async with serve(Note) as (client, storage, doorkeeper):
        made = await client.post("/api/v1/notes", json={"text": "a"}, token="good")
        url = f"/api/v1/notes/{made.data['id']}"
        assert (await client.patch(url, json={"text": "b"}, token="good")).status == 200
        assert (await client.patch(url, json={"text": "c"})).status == 401
        assert (await client.patch(url, json={"text": 1}, token="good")).status == 400
        assert (storage.opened, doorkeeper.asked) == (1, [0, 0, 0])


async def test_new_rows_with_a_time_limit_go_together(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    def counting(original: Callable[..., Any]) -> Callable[..., Any]:
        def counted(self: Any, *args: Any, **options: Any) -> Any:
            sent.append("commit")
            return original(self, *args, **options)

        return counted

    async with serve(Remark) as (client, storage, _):
        # what costs a round trip of its own: a commit of SQLite, a statement outside a transaction on PostgreSQL
        for cls, name in ((SqliteStorage, "_commit"), (PostgresqlStorage, "fetch")):
            monkeypatch.setattr(cls, name, counting(getattr(cls, name)))
        answers = await asyncio.gather(
            *(client.post("/api/v1/remarks", json={"text": str(number)}) for number in range(40))
        )
        assert {answer.status for answer in answers} == {201}
        assert len({answer.data["id"] for answer in answers}) == 40
        assert len(sent) <= 3
        assert storage.opened == 0
        refused = await client.post("/api/v1/remarks", json={"text": "x" * 21})
        assert refused.status == 400


async def test_a_new_row_that_is_given_up_is_never_written(serve: Callable[..., Any], database: str) -> None:
    if database != "sqlite":
        pytest.skip("an insert of PostgreSQL waits for no other; tests/unit/storage/test_grouping.py has what it does")
    async with serve(Remark) as (client, storage, _):
        inner = storage.inner
        async with inner._write_lock:
            answers = await asyncio.gather(
                *(client.post("/api/v1/remarks", json={"text": str(number)}) for number in range(5))
            )
        assert {(answer.status, answer.error["code"]) for answer in answers} == {(504, "TIMEOUT")}
        assert (await client.post("/api/v1/remarks", json={"text": "in time"})).status == 201
        found = await client.get("/api/v1/remarks")
        assert [row["text"] for row in found.data] == ["in time"]

"""What takes too long: 504 means that nothing was kept, whatever the database was doing when the time was up."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Payload,
    Read,
    Resource,
    Settings,
    Sternpost,
    Timeout,
    Update,
    field,
    implements,
    public,
)
from sternpost.storage.sqlite import database as sqlite_database
from sternpost.testing import Client
from sternpost.testing.client import Response

LIMIT_SECONDS = 0.3


class Done(Payload):
    """It was carried out."""

    done: bool


class Note(Resource, prefix="not"):
    """Something written down."""

    text: str = field(max_length=40)

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public, timeout=LIMIT_SECONDS)
    update = Update(allow=public, timeout=LIMIT_SECONDS)
    write = Custom(on="collection", output=Done, allow=public, timeout=LIMIT_SECONDS)
    slow = Custom(on="collection", output=Done, allow=public)
    hold = Custom(on="collection", output=Done, allow=public, timeout=LIMIT_SECONDS)
    look = Custom(on="collection", method="GET", output=Done, allow=public)


@implements(Note.write)
async def write(ctx: Context) -> Done:
    await ctx.repository(Note).create({"text": "late"})
    return Done(done=True)


@implements(Note.slow)
async def slow(ctx: Context) -> Done:
    await ctx.repository(Note).create({"text": "late"})
    await asyncio.Event().wait()
    return Done(done=True)


held: list[bool] = []


@implements(Note.hold, retry_safe=True)
async def hold(ctx: Context) -> Done:
    """Comes to its end once, and then no more."""
    await ctx.repository(Note).create({"text": "late"})
    held.append(True)
    if len(held) > 1:
        await asyncio.Event().wait()
    return Done(done=True)


@implements(Note.look)
async def look(ctx: Context) -> Done:
    await asyncio.Event().wait()
    return Done(done=True)


@pytest.fixture
def serve(make_settings: Callable[..., Settings]) -> Callable[..., Any]:
    @asynccontextmanager
    async def served(**more: Any) -> AsyncIterator[Client]:
        app = Sternpost(
            Contract("deadlines", resources=[Note]),
            services=[write, slow, hold, look],
            settings=make_settings(**more),
            write_log=lambda line: None,
        )
        async with Client(app) as client:
            yield client

    return served


def asks(client: Client, note: str) -> dict[str, Callable[[], Any]]:
    """Every kind of a change."""
    steps = [{"operation": "notes.create", "body": {"text": "late"}}]
    return {
        "grouped insert": lambda: client.post("/api/v1/notes", json={"text": "late"}),
        "change": lambda: client.patch(f"/api/v1/notes/{note}", json={"text": "late"}),
        "service": lambda: client.post("/api/v1/notes/write"),
        "batch": lambda: client.post("/api/v1/$batch", json={"operations": steps}),
    }


async def late_rows(client: Client) -> int:
    rows = (await client.get("/api/v1/notes?pageSize=100")).data
    return len([row for row in rows if row["text"] == "late"])


async def agree(client: Client, ask: Callable[[], Any], seconds: float) -> Response:
    """Asks once: what is answered is what the database has."""
    before, started = await late_rows(client), time.monotonic()
    answer = await ask()
    assert time.monotonic() - started < seconds
    written = await late_rows(client) - before
    if answer.status == 504:
        assert (answer.error["code"], written) == ("TIMEOUT", 0), answer.content
    else:
        assert (answer.status < 300, written) == (True, 1), answer.content
    return answer


@pytest.mark.parametrize("database", ["postgresql"])
@pytest.mark.parametrize("kind", ["grouped insert", "change", "service", "batch"])
@pytest.mark.parametrize("seconds", [0.25, 60], ids=["a little slow", "endless"])
async def test_a_slow_commit_of_postgresql(
    serve: Callable[..., Any], database_url: str, kind: str, seconds: float
) -> None:
    """A deferred trigger makes the commit itself slow: it is given up, or it was done, and the answer says which."""
    async with serve(request_timeout_seconds=1) as client:
        note = (await client.post("/api/v1/notes", json={"text": "first"})).data["id"]
        admin = await asyncpg.connect(database_url)
        await admin.execute(_SLOW_COMMIT.replace("SECONDS", str(seconds)))
        answer = await agree(client, asks(client, note)[kind], 5)
        assert answer.status == 504 or seconds < 1
        await admin.execute("DROP TRIGGER slow ON notes")
        for _ in range(8):  # nothing that was sent to end the commit ends anything else
            assert (await client.patch(f"/api/v1/notes/{note}", json={"text": "well"})).status == 200
        await admin.close()


@pytest.mark.parametrize("database", ["postgresql"])
async def test_a_row_that_waits_for_a_lock_is_given_up_in_time(serve: Callable[..., Any], database_url: str) -> None:
    async with serve(request_timeout_seconds=1) as client:
        note = (await client.post("/api/v1/notes", json={"text": "first"})).data["id"]
        admin = await asyncpg.connect(database_url)
        async with admin.transaction():
            await admin.execute("LOCK TABLE notes IN EXCLUSIVE MODE")
            kinds = asks(client, note)
            answers = await asyncio.gather(*(ask() for ask in kinds.values() for _ in range(5)))
            assert {(answer.status, answer.error["code"]) for answer in answers} == {(504, "TIMEOUT")}
        assert await late_rows(client) == 0
        assert (await client.post("/api/v1/notes", json={"text": "well"})).status == 201
        await admin.close()


class SlowDisk(sqlite3.Connection):
    """A connection whose commits take as long as a test wants, and then happen."""

    seconds = 0.0

    def commit(self) -> None:
        time.sleep(self.seconds)
        super().commit()


@pytest.fixture
def slow_disk(monkeypatch: pytest.MonkeyPatch) -> type[SlowDisk]:
    real = sqlite3.connect
    monkeypatch.setattr(SlowDisk, "seconds", 0.0)
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **more: real(*args, **{**more, "factory": SlowDisk}))
    return SlowDisk


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize("kind", ["grouped insert", "change", "service", "batch"])
async def test_a_slow_commit_of_sqlite(
    serve: Callable[..., Any], slow_disk: type[SlowDisk], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    async with serve(request_timeout_seconds=LIMIT_SECONDS) as client:
        note = (await client.post("/api/v1/notes", json={"text": "first"})).data["id"]
        ask = asks(client, note)[kind]
        monkeypatch.setattr(slow_disk, "seconds", 3 * LIMIT_SECONDS)
        answer = await agree(client, ask, 5)
        assert answer.status < 300, "the commit was under way, so it is waited for"
        # what waits behind it has not begun: it is given up, and never written
        before = await late_rows(client)
        answers = await asyncio.gather(*(ask() for _ in range(4)))
        told = [answer.status for answer in answers]
        assert set(told) <= {200, 201, 504}
        assert {answer.error["code"] for answer in answers if answer.status == 504} <= {"TIMEOUT"}
        monkeypatch.setattr(slow_disk, "seconds", 0.0)
        if kind != "change":
            assert await late_rows(client) == before + len([status for status in told if status < 300])


@pytest.mark.parametrize("database", ["sqlite"])
@pytest.mark.parametrize("kind", ["grouped insert", "service"])
async def test_a_disk_that_does_not_come_back(
    serve: Callable[..., Any], slow_disk: type[SlowDisk], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Nobody waits for ever: then it is said that the outcome is unknown, and the writer is free when it is done."""
    monkeypatch.setattr(sqlite_database, "COMMIT_SECONDS", 0.2)
    async with serve(request_timeout_seconds=LIMIT_SECONDS) as client:
        note = (await client.post("/api/v1/notes", json={"text": "first"})).data["id"]
        monkeypatch.setattr(slow_disk, "seconds", 2.0)
        started = time.monotonic()
        answer = await asks(client, note)[kind]()
        assert (answer.status, answer.error["code"]) == (504, "OUTCOME_UNKNOWN")
        assert "see whether the change was made" in answer.error["fix"]
        assert time.monotonic() - started < 1.9
        monkeypatch.setattr(slow_disk, "seconds", 0.0)
        while (again := await client.post("/api/v1/notes", json={"text": "well"})).status != 201:
            assert again.status in (503, 504)
        assert await late_rows(client) == 1, "it was made in the end"


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite"])
async def test_another_process_holds_the_file(serve: Callable[..., Any], database_url: str) -> None:
    async with serve() as client:
        note = (await client.post("/api/v1/notes", json={"text": "first"})).data["id"]
        other = sqlite3.connect(Path(database_url.removeprefix("sqlite:///")), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        answers = await asyncio.gather(*(ask() for ask in asks(client, note).values()))
        assert {answer.status for answer in answers} <= {503, 504}
        assert {answer.error["code"] for answer in answers} <= {"UNAVAILABLE", "TIMEOUT"}
        other.execute("ROLLBACK")
        other.close()
        assert await late_rows(client) == 0


async def test_every_operation_has_a_limit(serve: Callable[..., Any]) -> None:
    async with serve(request_timeout_seconds=LIMIT_SECONDS) as client:
        started = time.monotonic()
        for method, url in (("POST", "/api/v1/notes/slow"), ("GET", "/api/v1/notes/look")):
            answer = await client.request(method, url)
            assert (answer.status, answer.error["code"]) == (504, "TIMEOUT")
        assert time.monotonic() - started < 10 * LIMIT_SECONDS
        assert await late_rows(client) == 0


async def test_a_step_of_a_batch_has_its_own_limit(serve: Callable[..., Any]) -> None:
    held[:] = [True]
    async with serve(request_timeout_seconds=30) as client:
        started = time.monotonic()
        steps = [{"operation": "notes.create", "body": {"text": "late"}}, {"operation": "notes.hold"}]
        answer = await client.post("/api/v1/$batch", json={"operations": steps})
        assert (answer.status, answer.error["code"]) == (504, "TIMEOUT")
        assert answer.error["details"][0]["path"] == "operations.1"
        assert time.monotonic() - started < 10 * LIMIT_SECONDS
        assert await late_rows(client) == 0


@pytest.mark.parametrize("database", ["postgresql"])
async def test_a_further_try_is_given_up_in_time(serve: Callable[..., Any], database_url: str) -> None:
    """The first try fails at its commit, where it could not be given up any more; the second can."""
    held.clear()
    async with serve(request_timeout_seconds=30) as client:
        admin = await asyncpg.connect(database_url)
        await admin.execute(_NO_COMMIT)
        await admin.close()
        answer = await asyncio.wait_for(client.post("/api/v1/notes/hold"), 5)
        assert (answer.status, answer.error["code"], len(held)) == (504, "TIMEOUT", 2)
        assert await late_rows(client) == 0


@pytest.mark.parametrize("seconds", [0.6, 30], ids=["a little slow", "endless"])
async def test_a_script_is_told_the_truth_about_its_transaction(
    serve: Callable[..., Any],
    database: str,
    database_url: str,
    slow_disk: type[SlowDisk],
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
) -> None:
    """`db.transaction(timeout=…)` keeps the rule, too."""
    async with serve() as client:
        if database == "sqlite":
            monkeypatch.setattr(slow_disk, "seconds", min(seconds, 1))
        else:
            admin = await asyncpg.connect(database_url)
            await admin.execute(_SLOW_COMMIT.replace("SECONDS", str(seconds)))
            await admin.close()
        async with client.app.data() as db:
            kept = 1
            try:
                async with db.transaction(timeout=LIMIT_SECONDS):
                    await db.table(Note).create({"text": "late"})
            except Timeout:
                kept = 0
            assert await db.table(Note).count() == kept
            assert (database, kept) in {("sqlite", 1), ("postgresql", 0)}


_SLOW_COMMIT = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(SECONDS); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT OR UPDATE ON notes DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION slow();
"""

_NO_COMMIT = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001'; END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION fail();
"""

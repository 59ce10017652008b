"""The audit trail: who changed what, and what it was before, by every way there is to a row. On each database."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import strategies as st

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Delete,
    Json,
    Many,
    One,
    Owned,
    Payload,
    Read,
    Replace,
    Resource,
    Restore,
    Settings,
    Sternpost,
    Transition,
    Update,
    field,
    implements,
    many,
    one,
    public,
)
from sternpost.ports.audit import AuditEntry, AuditQuery
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.support.forks import run
from tests.support.rounds import for_drawn, rounds

V1 = "/api/v1"
ADA = "usr_" + "a" * 32
SECRETS = ("hunter2-planted", "4111-planted", "zażółć-planted")


class Asked(Payload):
    """What the service is to do."""

    what: str
    row: str = field(default="")


class Board(Resource, prefix="brd"):
    """Not recorded itself; what goes with it is."""

    name: str
    posts: Many[Post]

    create = Create(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)


class Person(Resource, prefix="per", plural="people"):
    name: str

    create = Create(allow=public)
    delete = Delete(allow=public)


class Tag(Resource, prefix="tag", audit=True):
    name: str = field(unique=True)

    create = Create(allow=public)
    delete = Delete(allow=public)


class Post(Resource, prefix="pos", audit=True):
    """Has a field of every kind."""

    title: str = field(unique=True)
    state: Literal["draft", "open"] = field(default="draft", write="never")
    secret: str | None = field(sensitive=True)
    places: int = field(default=0, ge=-(10**15), le=10**15)
    weight: float = field(default=0.1)
    price: Decimal = field(default=Decimal("1.50"), max_digits=12, decimal_places=4)
    flag: bool = field(default=False)
    day: date | None
    at: datetime | None
    more: Json | None
    board: One[Board] | None = one(on_delete="cascade", link=public)
    person: One[Person] | None = one(on_delete="set_null", link=public)
    tags: Many[Tag] = many(through="post_tags", write="always", link=public)
    lines: Owned[Line]
    version: int = field(auto="version")
    updated_at: datetime = field(auto="updated")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    replace = Replace(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)
    publish = Transition("state", source="draft", target="open", allow=public)
    work = Custom(allow=public, on="collection", input=Asked, output=None)


class Line(Resource, prefix="lin"):
    """Owned, so recorded with its post."""

    post: One[Post]
    text: str


class Note(Resource, prefix="not", audit=True, soft_delete=True, tenant="team"):
    """Kept when it is deleted, and somebody's."""

    team: str
    text: str

    create = Create(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)
    restore = Restore(allow=public)


contract = Contract("posts", resources=[Board, Person, Tag, Post, Line, Note])


@implements(Post.work)
async def work(ctx: Context, asked: Asked) -> None:
    posts, repository = ctx.data.table(Post), ctx.repository(Post)
    match asked.what:
        case "repository":
            made = await repository.create({"title": "by repository"})
            await repository.update(made.id, {"places": 1})
            assert await repository.update_many({"id": made.id}, {"places": {"increment": 4}}) == 1
            await repository.delete(made.id)
        case "bulk":
            await posts.create_many([{"title": f"bulk {n}", "places": n} for n in range(5)])
            assert await posts.update_many({"places": {"gte": 3}}, {"places": {"increment": 10}}) == 2
            assert await posts.delete_many({"places": {"lt": 10}}) == 3
        case "upsert":
            for count in range(2):
                await posts.upsert({"title": "same"}, create={"title": "same"}, update={"places": count + 7})
        case "nested":
            made = await posts.create(
                {"title": "nested", "tags": {"create": [{"name": "n"}]}, "lines": {"create": [{"text": "x"}]}}
            )
            await posts.update(made.id, {"tags": {"set": []}, "lines": {"create": [{"text": "y"}]}})
        case "sql":
            assert await ctx.data.execute("update posts set places = places + 1") == 1
        case _:
            await posts.update_many({}, {"places": 99})
            raise RuntimeError("at the end")


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    app = Sternpost(contract, services=[work], settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        yield client


async def trail(client: Client, **query: Any) -> list[AuditEntry]:
    """The entries, the oldest first."""
    wanted = replace(AuditQuery(limit=10_000), **query)
    found = await client.app.running.runtime.storage.audit_trail().entries(wanted)
    return found[::-1]


async def told(client: Client, **query: Any) -> list[tuple[str, str, Any, Any]]:
    """What happened, without what changes with every change."""

    def plain(document: dict[str, Any] | None, keep: set[str]) -> dict[str, Any] | None:
        return document and {name: value for name, value in document.items() if name in keep}

    found: list[tuple[str, str, Any, Any]] = []
    for entry in await trail(client, **query):
        keep = {"title", "text", "name"}
        if entry.action in ("update", "link", "unlink"):
            keep = {*(entry.before or ()), *(entry.after or ())} - {"updatedAt", "version"}
        found.append((entry.action, entry.resource, plain(entry.before, keep), plain(entry.after, keep)))
    return found


async def made(client: Client, what: str, **values: Any) -> str:
    answer = await client.post(f"{V1}/{what}", json=values, token=client.token(ADA, tenant="red"))
    assert answer.status == 201, answer.content
    return answer.data["id"]


async def test_each_operation_is_recorded_with_its_caller(client: Client) -> None:
    token = client.token(ADA)
    tag = await made(client, "tags", name="t")
    created = await client.post(
        f"{V1}/posts", json={"title": "One", "tagIds": [tag], "lines": [{"text": "a"}]}, token=token
    )
    url, post = f"{V1}/posts/{created.data['id']}", created.data["id"]
    changed = await client.patch(url, json={"places": 3}, token=token, headers={"X-Request-Id": "request-7"})
    assert changed.status == 200, changed.content
    replaced = await client.put(url, json={"title": "Two", "tagIds": [], "lines": [{"text": "b"}]}, token=token)
    assert replaced.status == 200, replaced.content
    await client.post(f"{url}/publish")
    assert (await client.delete(url)).status == 204
    found = await told(client)
    assert [*found[:-2], *sorted(found[-2:], key=repr)] == [
        ("create", "Tag", None, {"name": "t"}),
        ("create", "Post", None, {"title": "One"}),
        ("create", "Line", None, {"text": "a"}),
        ("link", "Post", None, {"tags": tag}),
        ("update", "Post", {"places": 0}, {"places": 3}),
        ("update", "Post", {"title": "One", "places": 3}, {"title": "Two", "places": 0}),
        ("delete", "Line", {"text": "a"}, None),
        ("create", "Line", None, {"text": "b"}),
        ("unlink", "Post", {"tags": tag}, None),
        ("update", "Post", {"state": "draft"}, {"state": "open"}),
        ("delete", "Line", {"text": "b"}, None),
        ("delete", "Post", {"title": "Two"}, None),
    ]
    entries = await trail(client, row_id=post)
    assert [(entry.actor, entry.operation) for entry in entries] == [
        (ADA, "posts.create"),
        (ADA, "posts.create"),
        (ADA, "posts.update"),
        (ADA, "posts.replace"),
        (ADA, "posts.replace"),
        (None, "posts.publish"),
        (None, "posts.delete"),
    ]
    assert entries[2].request_id == changed.headers["x-request-id"]
    assert all(entry.request_id and entry.tenant is None and entry.row_id == post for entry in entries)
    assert timedelta() <= datetime.now(UTC) - entries[-1].at < timedelta(minutes=1)
    whole = entries[0].after
    assert whole is not None
    assert {**whole, "lines": created.data["lines"]} == {**created.data}
    assert entries[-1].before is not None
    assert set(entries[-1].before) == set(whole)


WORK: dict[str, list[tuple[str, str, Any, Any]]] = {
    "repository": [
        ("create", "Post", None, {"title": "by repository"}),
        ("update", "Post", {"places": 0}, {"places": 1}),
        ("update", "Post", {"places": 1}, {"places": 5}),
        ("delete", "Post", {"title": "by repository"}, None),
    ],
    "bulk": [
        *(("create", "Post", None, {"title": f"bulk {n}"}) for n in range(5)),
        *(("update", "Post", {"places": n}, {"places": n + 10}) for n in (3, 4)),
        *(("delete", "Post", {"title": f"bulk {n}"}, None) for n in range(3)),
    ],
    "upsert": [
        ("create", "Post", None, {"title": "same"}),
        ("update", "Post", {"places": 0}, {"places": 8}),
    ],
    "nested": [
        ("create", "Post", None, {"title": "nested"}),
        ("create", "Line", None, {"text": "x"}),
        ("create", "Tag", None, {"name": "n"}),
        ("link", "Post", None, {"tags": "tag"}),
        ("create", "Line", None, {"text": "y"}),
        ("update", "Post", {}, {}),
        ("unlink", "Post", {"tags": "tag"}, None),
    ],
}


@pytest.mark.parametrize("what", WORK)
async def test_so_is_what_a_service_does(client: Client, what: str) -> None:
    answer = await client.post(f"{V1}/posts/work", json={"what": what}, token=client.token(ADA))
    assert answer.status == 204, answer.content
    found = await told(client)
    for _, _, before, after in found:
        for document in (before, after):
            if document and "tags" in document:
                document["tags"] = document["tags"][:3]
    assert _ordered(found) == _ordered(WORK[what])
    assert {(entry.actor, entry.operation) for entry in await trail(client)} == {(ADA, "posts.work")}


def _ordered(told: list[tuple[str, str, Any, Any]]) -> list[str]:
    """Rows of one statement come in any order."""
    return sorted(repr(entry) for entry in told)


async def test_and_what_an_own_statement_does(client: Client) -> None:
    post = await made(client, "posts", title="One")
    assert (await client.post(f"{V1}/posts/work", json={"what": "sql"}, token=client.token(ADA))).status == 204
    assert [(entry.operation, entry.before, entry.after) for entry in await trail(client, action="update")] == [
        ("posts.work", {"places": 0}, {"places": 1})
    ]
    async with client.app.data(tenants="all", actor="nightly") as db:
        await db.execute("update posts set places = 5")
        await db.table(Post).update(post, {"places": 6})
    async with client.app.data(tenants="all") as db:
        await db.table(Post).delete(post)
    found = [(entry.actor, entry.operation, entry.action) for entry in await trail(client, row_id=post)][2:]
    assert found == [("nightly", None, "update"), ("nightly", None, "update"), (None, None, "delete")]


async def test_and_what_the_database_does_by_itself(client: Client) -> None:
    board, person = await made(client, "boards", name="B"), await made(client, "people", name="P")
    tag = await made(client, "tags", name="t")
    post = await made(client, "posts", title="One", boardId=board, personId=person, tagIds=[tag], lines=[{"text": "a"}])
    before = len(await trail(client))
    assert (await client.delete(f"{V1}/people/{person}", token=client.token(ADA))).status == 204
    assert (await client.delete(f"{V1}/boards/{board}", token=client.token(ADA))).status == 204
    entries = (await trail(client))[before:]
    assert (entries[0].action, entries[0].operation, entries[0].row_id) == ("update", "people.delete", post)
    assert (entries[0].before or {})["personId"] == person
    assert (entries[0].after or {})["personId"] is None
    assert sorted((entry.action, entry.resource) for entry in entries[1:]) == [
        ("delete", "Line"),
        ("delete", "Post"),
        ("unlink", "Post"),
    ]
    assert {(entry.actor, entry.operation) for entry in entries[1:]} == {(ADA, "boards.delete")}


async def test_a_failure_leaves_nothing(client: Client) -> None:
    await made(client, "posts", title="One")
    count = len(await trail(client))
    assert (await client.post(f"{V1}/posts/work", json={"what": "fail"})).status == 500
    assert (await client.post(f"{V1}/posts", json={"title": "One"})).status == 409
    operations = [
        {"operation": "tags.create", "body": {"name": "t"}},
        {"operation": "posts.create", "body": {"title": "One"}},
    ]
    assert (await client.post(f"{V1}/$batch", json={"operations": operations})).status == 409
    assert len(await trail(client)) == count


async def test_a_change_of_nothing_is_none(client: Client) -> None:
    tag = await made(client, "tags", name="t")
    async with client.app.data(tenants="all") as db:
        assert await db.execute("update tags set name = 't'") == 1
    assert [entry.action for entry in await trail(client, row_id=tag)] == ["create"]


async def test_in_a_batch_each_operation_is_told(client: Client) -> None:
    operations = [
        {"as": "tag", "operation": "tags.create", "body": {"name": "t"}},
        {"as": "post", "operation": "posts.create", "body": {"title": "One", "tagIds": [{"$ref": "tag.id"}]}},
        {"operation": "posts.publish", "id": {"$ref": "post.id"}},
    ]
    done = await client.post(f"{V1}/$batch", json={"operations": operations}, token=client.token(ADA))
    assert done.status == 200, done.content
    assert [(entry.operation, entry.action) for entry in await trail(client)] == [
        ("tags.create", "create"),
        ("posts.create", "create"),
        ("posts.create", "link"),
        ("posts.publish", "update"),
    ]
    assert {(entry.actor, entry.request_id) for entry in await trail(client)} == {(ADA, done.headers["x-request-id"])}


async def test_deleted_rows_that_are_kept_come_back(client: Client) -> None:
    note = await made(client, "notes", text="a")
    token = client.token(ADA, tenant="red")
    for method, url in (("DELETE", note), ("POST", f"{note}/restore")):
        assert (await client.request(method, f"{V1}/notes/{url}", token=token)).status in (200, 204)
    await made(client, "tags", name="t")
    entries = await trail(client, tenant="red")
    assert [(entry.action, entry.operation, entry.row_id) for entry in entries] == [
        ("create", "notes.create", note),
        ("delete", "notes.delete", note),
        ("restore", "notes.restore", note),
    ]
    assert entries[0].after == {"id": note, "team": "red", "text": "a"}
    assert await trail(client, tenant="blue") == []


async def test_a_secret_never_gets_in(client: Client) -> None:
    post = await made(client, "posts", title="One", secret=SECRETS[0])
    for secret in (*SECRETS[1:], None):
        changed = await client.patch(f"{V1}/posts/{post}", json={"secret": secret})
        assert changed.status == 200, changed.content
    await client.delete(f"{V1}/posts/{post}")
    entries = await trail(client, row_id=post)
    assert [(entry.before and entry.before["secret"], entry.after and entry.after["secret"]) for entry in entries] == [
        (None, "***"),
        ("***", "***"),
        ("***", "***"),
        ("***", None),
        (None, None),
    ]
    async with client.app.data(tenants="all") as db:
        rows = await db.sql("select * from sternpost_audit")
    text = json.dumps(rows, default=str, ensure_ascii=False)
    assert "***" in text
    assert not [secret for secret in (*SECRETS, "za\\u017c") if secret in text]


async def test_what_is_not_audited_costs_nothing(client: Client, log_lines: LogLines) -> None:
    await made(client, "people", name="P")
    await made(client, "tags", name="t")
    assert [entry.resource for entry in await trail(client)] == ["Tag"]
    statements = {line["operation"]: line["statements"] for line in log_lines.requests}
    assert statements == {"people.create": 1, "tags.create": 2}


@pytest.mark.parametrize("number", range(3))
async def test_writers_do_not_sign_for_each_other(client: Client, number: int) -> None:
    callers = [f"usr_{index:032x}" for index in range(12)]

    async def write(caller: str) -> None:
        for count in range(4):
            body = {"title": f"{caller} {count}", "lines": [{"text": caller}]}
            answer = await client.post(f"{V1}/posts", json=body, token=client.token(caller))
            assert answer.status == 201, answer.content

    await asyncio.gather(*(write(caller) for caller in callers))
    entries = await trail(client)
    assert len(entries) == 12 * 4 * 2
    for entry in entries:
        assert entry.after is not None
        assert entry.actor is not None
        assert entry.actor in (entry.after.get("title") or entry.after["text"])


# -- what the trail says is what happened

texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)
values = st.fixed_dictionaries(
    {},
    optional={
        "places": st.integers(-(10**15), 10**15),
        "weight": st.floats(allow_nan=False, allow_infinity=False),
        "price": st.decimals(-99_999_999, 99_999_999, places=4),
        "flag": st.booleans(),
        "day": st.none() | st.dates(),
        "at": st.none() | st.datetimes(min_value=datetime(1900, 1, 1), timezones=st.just(UTC)),
        "more": st.none()
        | st.dictionaries(texts, texts | st.integers(-(2**53), 2**53) | st.booleans() | st.none(), max_size=3),
    },
)
steps = st.lists(
    st.tuples(st.sampled_from(["create", "update", "bulk", "increment", "delete"]), st.integers(0, 3), values),
    min_size=1,
    max_size=12,
)


@rounds(8, 150)
async def test_replayed_it_gives_the_rows(client: Client, rounds: int) -> None:
    async def follow(steps: list[tuple[str, int, dict[str, Any]]]) -> None:
        async with client.app.data(tenants="all") as db:
            posts = db.table(Post)
            await posts.delete_many({})
            first = max((entry.id for entry in await trail(client)), default=0)
            for number, (step, which, data) in enumerate(steps):
                rows = await posts.find(order=["id"])
                row = rows[which % len(rows)] if rows else None
                if step == "create" or row is None:
                    await posts.create({"title": f"{number}", **data})
                elif step == "update":
                    await posts.update(row.id, data)
                elif step == "bulk":
                    await posts.update_many({"places": {"gte": row.places}}, data or {"flag": True})
                elif step == "increment" and abs(row.places) < 10**14:
                    await posts.update(row.id, {"places": {"increment": 7}, "price": {"increment": Decimal("0.0001")}})
                elif step == "delete":
                    await posts.delete(row.id)
        replayed: dict[str, dict[str, Any]] = {}
        for entry in await trail(client):
            if entry.id <= first:
                continue
            if entry.action == "create":
                assert entry.after is not None
                replayed[entry.row_id] = entry.after
            elif entry.action == "delete":
                assert replayed.pop(entry.row_id) == entry.before
            else:
                assert entry.before is not None
                assert {name: replayed[entry.row_id][name] for name in entry.before} == entry.before
                replayed[entry.row_id] |= entry.after or {}
        answer = await client.get(f"{V1}/posts?pageSize=100")
        differing = [
            (name, value, row[name])
            for row in answer.data
            for name, value in replayed[row["id"]].items()
            if value != row[name]
        ]
        assert not differing
        rows = {row["id"]: {name: value for name, value in row.items() if name != "lines"} for row in answer.data}
        assert replayed == rows

    await for_drawn(rounds, follow, steps)


# -- on the command line


def test_the_command(tmp_path: Path, database_url: str) -> None:
    (tmp_path / "notes.py").write_text(
        "from sternpost import *\nfrom sternpost import Sternpost\n\n\n"
        'class Note(Resource, prefix="not", audit=True):\n    text: str\n    secret: str = field(sensitive=True)\n\n\n'
        'class Other(Resource, prefix="oth"):\n    text: str\n\n\n'
        'app = Sternpost(Contract("notes", resources=[Note, Other]))\n'
    )
    (tmp_path / "fill.py").write_text(
        "import asyncio\nfrom notes import Note, app\n\n\n"
        "async def fill() -> None:\n"
        '    async with app.data(actor="nightly") as db:\n'
        '        note = await db.table(Note).create({"text": "\u00e9" * 100, "secret": "planted"})\n'
        '        await db.table(Note).update(note.id, {"text": "short"})\n'
        "    print(note.id)\n\n\n"
        "asyncio.run(fill())\n"
    )
    environment = {**os.environ, "STERNPOST_DATABASE_URL": database_url, "NO_COLOR": "1", "COLUMNS": "200"}

    def sternpost(*arguments: str) -> subprocess.CompletedProcess[str]:
        return run(arguments, tmp_path, environment)

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def show(*arguments: str) -> str:
        done = sternpost("audit", "show", "--app", "notes:app", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    created = sternpost("migrate", "plan", "notes:app", "-m", "start")
    assert created.returncode == 0, created.stdout + created.stderr
    applied = sternpost("migrate", "apply", "notes:app")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    assert "No recorded change matches" in show()
    filled = python("fill.py")
    assert filled.returncode == 0, filled.stderr
    note = filled.stdout.strip()

    table = show()
    assert table.index("update Note") < table.index("create Note")
    assert "text: " + "\u00e9" * 59 + "… → short" in table
    assert "secret: ***" in table
    assert "planted" not in table
    lines = [json.loads(line) for line in show("--json", note).splitlines()]
    assert [(line["action"], line["actor"], line["rowId"]) for line in lines] == [
        ("update", "nightly", note),
        ("create", "nightly", note),
    ]
    assert (lines[0]["before"], lines[0]["after"]) == ({"text": "\u00e9" * 100}, {"text": "short"})
    assert lines[1]["before"] is None
    assert lines[1]["after"] == {"id": note, "text": "\u00e9" * 100, "secret": "***"}
    assert len(show("--json", "--limit", "1").splitlines()) == 1
    narrow = ["--action", "update", "--since", lines[0]["at"], "--actor", "nightly", "--resource", "Note"]
    assert [json.loads(line)["id"] for line in show("--json", *narrow).splitlines()] == [lines[0]["id"]]
    assert "No recorded change matches" in show("--until", "2026-01-01")
    for wrong, why in ((["--since", "yesterday"], "is not a time"), (["--resource", "Other"], "is not audited")):
        refused = sternpost("audit", "show", "--app", "notes:app", *wrong)
        assert refused.returncode != 0
        assert why in refused.stdout + refused.stderr


async def test_each_filter(client: Client) -> None:
    await made(client, "tags", name="t")
    post = await made(client, "posts", title="One")
    async with client.app.data(tenants="all", actor="nightly") as db:
        await db.table(Post).update(post, {"places": 1})
    whole = await trail(client)
    tag, created, updated = whole
    for query, expected in (
        ({"resource": "Tag"}, [tag]),
        ({"row_id": post}, [created, updated]),
        ({"actor": "nightly"}, [updated]),
        ({"operation": "posts.create"}, [created]),
        ({"request_id": tag.request_id}, [tag]),
        ({"tenant": "red"}, []),
        ({"action": "create"}, [tag, created]),
        ({"since": created.at}, [entry for entry in whole if entry.at >= created.at]),
        ({"until": created.at}, [entry for entry in whole if entry.at < created.at]),
        ({"limit": 1}, [updated]),
        ({"row_id": post, "action": "create", "actor": ADA}, [created]),
        ({"row_id": "nothing"}, []),
    ):
        assert await trail(client, **query) == expected, query


async def test_scripts_and_tests_read_the_trail_with_the_data_client(client: Client) -> None:
    await client.post(f"{V1}/tags", json={"name": "Ada"}, token=client.token("usr_x"))
    await client.post(f"{V1}/tags", json={"name": "Eve"}, token=client.token("usr_y"))
    async with client.app.data(tenants="all") as db:
        found = await db.audit_trail(limit=10_000)
        assert found == (await trail(client))[::-1]
        (mine,) = await db.audit_trail(actor="usr_y", action="create", resource="Tag")
        assert (mine.row_id, mine.after and mine.after["name"]) == (found[0].row_id, "Eve")
        assert await db.audit_trail(row_id=mine.row_id, since=mine.at + timedelta(seconds=1)) == []
        async with db.transaction():
            with pytest.raises(RuntimeError, match="outside of operations and transactions"):
                await db.audit_trail()


class Rack(Resource, prefix="rac"):
    name: str = field(default="")

    create = Create(allow=public)
    delete = Delete(allow=public)


class Jar(Resource, prefix="jar", audit=True, soft_delete=True):
    rack: One[Rack] = one(on_delete="cascade", link=public)

    create = Create(allow=public)
    delete = Delete(allow=public)


class Lid(Resource, prefix="lid"):
    """Goes with its rack, and until then keeps its jar."""

    rack: One[Rack] = one(on_delete="cascade", link=public)
    jar: One[Jar] = one(link=public)

    create = Create(allow=public)


async def test_what_goes_for_good_with_another_row_is_deleted_once(make_settings: Callable[..., Settings]) -> None:
    """Also where it would be kept if it were deleted alone."""
    contract = Contract("jars", resources=[Rack, Jar, Lid])
    async with Client(Sternpost(contract, settings=make_settings(), write_log=lambda line: None)) as client:
        rack = (await client.post(f"{V1}/racks", json={})).data["id"]
        kept, gone = [(await client.post(f"{V1}/jars", json={"rackId": rack})).data["id"] for _ in range(2)]
        assert (await client.post(f"{V1}/lids", json={"rackId": rack, "jarId": kept})).status == 201
        assert (await client.delete(f"{V1}/jars/{gone}")).status == 204
        assert (await client.delete(f"{V1}/racks/{rack}")).status == 204
        async with client.app.data() as db:
            entries = {row: await db.audit_trail(resource="Jar", row_id=row) for row in (kept, gone)}
        assert [entry.action for entry in entries[kept]] == ["delete", "create"]
        assert [entry.action for entry in entries[gone]] == ["delete", "delete", "create"]
        assert all(entry.after is None for each in entries.values() for entry in each[:1]), "the rows are gone"

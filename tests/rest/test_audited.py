"""Who did what: the line of each denied call, and of each call of an operation with `audited=True`, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Delete,
    One,
    Read,
    Resource,
    Settings,
    Sternpost,
    Transition,
    Update,
    authenticated,
    caller,
    field,
    fixed_window,
    implements,
    one,
    public,
    scope,
    this,
)
from sternpost.testing import Client
from tests.conftest import LogLines

V1 = "/api/v1"


class User(Resource, prefix="usr"):
    name: str = field()

    browse = Browse(allow=public)
    create = Create(allow=public)


class Paper(Resource, prefix="pap", owner="user_id"):
    user: One[User] = one(default=caller)
    title: str = field(max_length=50)
    status: Literal["draft", "signed"] = field(default="draft", write="never")

    browse = Browse(allow=this.is_owner | scope("papers:read"))
    read = Read(allow=this.is_owner | scope("papers:read"), audited=True)
    create = Create(allow=authenticated, audited=True)
    update = Update(allow=this.is_owner | scope("papers:admin"))
    sign = Transition("status", source="draft", target="signed", allow=scope("papers:sign"), audited=True)
    delete = Delete(allow=scope("papers:admin"), audited=True)
    burn = Custom(on="item", output=None, allow=this.is_owner, audited=True)
    count = Custom(
        on="collection", output=None, allow=public, audited=True, limit=fixed_window(1, per="hour", by="address")
    )


class File(Resource, prefix="fil", tenant="company"):
    company: str = field(max_length=20)
    name: str = field()

    browse = Browse(allow=authenticated)
    create = Create(allow=authenticated)


@implements(Paper.burn)
async def burn(ctx: Context, paper: Paper) -> None:
    raise ValueError("a bug")


@implements(Paper.count)
async def count(ctx: Context) -> None:
    """Nothing is done."""


class Office:
    """The service, and the audit lines that it writes."""

    def __init__(self, client: Client, lines: LogLines) -> None:
        self.client = client
        self.lines = lines

    async def user(self) -> str:
        return (await self.client.post(f"{V1}/users", json={"name": "Ann"})).data["id"]

    async def paper(self, owner: str) -> str:
        created = await self.client.post(f"{V1}/papers", json={"title": "A"}, token=self.client.token(owner))
        assert created.status == 201, created.content
        self.lines.raw.clear()
        return created.data["id"]

    def told(self, *names: str) -> list[tuple[Any, ...]]:
        found = [line for line in self.lines.lines if line.get("event") == "audit"]
        return [tuple(line.get(name) for name in names or ("operation", "row", "outcome")) for line in found]

    def taken(self) -> list[tuple[Any, ...]]:
        found = self.told()
        self.lines.raw.clear()
        return found


@pytest.fixture
async def office(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Office]:
    settings = make_settings(log_level="error", log_repeats_a_second=20)
    contract = Contract("office", resources=[User, Paper, File])
    app = Sternpost(contract, services=[burn, count], settings=settings, write_log=log_lines)
    async with Client(app) as client:
        yield Office(client, log_lines)


async def test_each_call_of_an_audited_operation_says_who_did_what_to_which_row(office: Office) -> None:
    client, ann = office.client, await office.user()
    created = await client.post(f"{V1}/papers", json={"title": "A"}, token=client.token(ann))
    paper = created.data["id"]
    office.lines.raw.clear()
    assert (await client.get(f"{V1}/papers/{paper}", token=client.token(ann))).status == 200
    read = await client.get(f"{V1}/papers/{paper}", token=client.token("usr_clerk", "papers:read"))
    assert read.status == 200
    signed = await client.post(
        f"{V1}/papers/{paper}/sign", token=client.token("usr_clerk", "papers:sign", "papers:read")
    )
    assert signed.status == 200
    again = await client.post(
        f"{V1}/papers/{paper}/sign", token=client.token("usr_clerk", "papers:sign", "papers:read")
    )
    assert again.status == 409
    assert (await client.patch(f"{V1}/papers/{paper}", json={"title": "B"}, token=client.token(ann))).status == 200
    assert office.told("operation", "row", "outcome", "userId", "privileged") == [
        ("papers.read", paper, "done", ann, False),
        ("papers.read", paper, "done", "usr_clerk", True),
        ("papers.sign", paper, "done", "usr_clerk", True),
        ("papers.sign", paper, "STATE_CONFLICT", "usr_clerk", True),
    ]
    (line,) = [
        line for line in office.lines.lines if line.get("row") == paper and line.get("outcome") == "STATE_CONFLICT"
    ]
    assert (line["requestId"], line["level"]) == (again.json()["error"]["requestId"], "info")
    assert "address" in line


async def test_a_creation_names_its_row_and_a_bug_is_an_outcome(office: Office) -> None:
    client, ann = office.client, await office.user()
    created = await client.post(f"{V1}/papers", json={"title": "A"}, token=client.token(ann))
    assert office.taken() == [("papers.create", created.data["id"], "done")]
    assert (await client.post(f"{V1}/papers", json={"title": 1}, token=client.token(ann))).status == 400
    assert office.taken() == [("papers.create", None, "VALIDATION_ERROR")]
    burnt = await client.post(f"{V1}/papers/{created.data['id']}/burn", token=client.token(ann))
    assert burnt.status == 500
    assert office.taken() == [("papers.burn", created.data["id"], "INTERNAL_ERROR")]
    for _ in range(2):
        await client.post(f"{V1}/papers/count")
    assert office.taken() == [("papers.count", None, "done"), ("papers.count", None, "RATE_LIMITED")]
    key = {"Idempotency-Key": "k1"}
    for _ in range(2):
        kept = await client.post(f"{V1}/papers", json={"title": "A"}, token=client.token(ann), headers=key)
    assert office.taken() == [
        ("papers.create", kept.data["id"], "done"),
        ("papers.create", kept.data["id"], "replayed"),
    ]


async def test_each_denied_call_is_told_whatever_the_operation_and_the_level(office: Office) -> None:
    client, ann, ben = office.client, await office.user(), await office.user()
    paper = await office.paper(ann)
    token, other = client.token(ann), client.token(ben)
    assert (await client.get(f"{V1}/papers", token="nonsense")).status == 401
    assert (await client.patch(f"{V1}/papers/{paper}", json={"title": "B"}, token=other)).status == 404
    reader = client.token(ben, "papers:read")
    assert (await client.patch(f"{V1}/papers/{paper}", json={"title": "B"}, token=reader)).status == 403
    assert (await client.delete(f"{V1}/papers/{paper}", token=token)).status == 403
    assert (await client.post(f"{V1}/files", json={"name": "x"}, token=token)).status == 403
    assert office.told("operation", "row", "reason", "userId", "outcome", "level") == [
        ("papers.browse", None, "credentials", None, "denied", "warning"),
        ("papers.update", paper, "hidden", ben, "denied", "warning"),
        ("papers.update", paper, "forbidden", ben, "denied", "warning"),
        ("papers.delete", paper, "forbidden", ann, "denied", "warning"),
        ("files.create", None, "tenant", ann, "denied", "warning"),
    ]


async def test_what_is_no_denial_is_not_told(office: Office) -> None:
    client, ann = office.client, await office.user()
    paper = await office.paper(ann)
    missing = paper[:-4] + "ffff"
    assert (await client.get(f"{V1}/papers/{paper}")).status in (401, 404)
    assert (await client.post(f"{V1}/papers", json={})).status == 401
    office.lines.raw.clear()
    assert (await client.patch(f"{V1}/papers/{missing}", json={"title": "B"}, token=client.token(ann))).status == 404
    assert (await client.patch(f"{V1}/papers/{paper}", json={"title": 1}, token=client.token(ann))).status == 400
    assert (await client.get(f"{V1}/papers", token=client.token(ann))).status == 200
    assert office.told() == []


async def test_the_steps_of_a_batch_are_told_once_they_are_committed(office: Office) -> None:
    client, ann = office.client, await office.user()
    paper = await office.paper(ann)
    scopes = ["papers:sign", "papers:read"]

    async def batch(*steps: dict[str, Any]) -> Any:
        return await client.post(f"{V1}/$batch", json={"operations": steps}, token=client.token(ann, *scopes))

    create = {"operation": "papers.create", "as": "made", "body": {"title": "B"}}
    sign = {"operation": "papers.sign", "id": {"$ref": "made.id"}}
    rename = {"operation": "papers.update", "id": paper, "body": {"title": "C"}}
    done = await batch(create, sign, rename)
    assert done.status == 200, done.content
    made = done.json()["data"]["results"][0]["data"]["id"] if "results" in done.json()["data"] else None
    told = office.taken()
    assert [each[0] for each in told] == ["papers.create", "papers.sign"]
    assert [each[2] for each in told] == ["done", "done"]
    assert told[0][1] == told[1][1] == (made or told[0][1])
    undone = await batch(create, sign, {"operation": "papers.update", "id": paper, "body": {"title": 1}})
    assert undone.status == 400
    assert office.taken() == [("papers.create", None, "VALIDATION_ERROR"), ("papers.sign", None, "VALIDATION_ERROR")]
    denied = await batch(create, {"operation": "papers.delete", "id": paper})
    assert denied.status == 403
    assert office.taken() == [("papers.delete", paper, "denied")]


async def test_a_flood_of_denials_is_counted_and_hides_no_other(office: Office) -> None:
    client, ann = office.client, await office.user()
    paper = await office.paper(ann)
    for _ in range(60):
        await client.get(f"{V1}/papers", token="nonsense")
    await client.delete(f"{V1}/papers/{paper}", token=client.token(ann))
    office.client.app.running.telemetry.flush()
    lines = [line for line in office.lines.lines if line.get("event") == "audit"]
    flood = [line for line in lines if line["operation"] == "papers.browse"]
    assert len(flood) < 60
    assert sum(line.get("repeated", 1) for line in flood) == 60
    assert [line["reason"] for line in lines if line["operation"] == "papers.delete"] == ["forbidden"]

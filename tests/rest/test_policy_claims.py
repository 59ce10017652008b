"""Policies that ask for claims, the tenant and the API key of the caller, over HTTP on each database; and what who is
refused by a policy with a name is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Custom,
    Delete,
    One,
    Payload,
    Read,
    Resource,
    Settings,
    Sternpost,
    Update,
    authenticated,
    caller,
    claim,
    field,
    implements,
    named,
    public,
    scope,
    this,
)
from sternpost.auth.api_keys import make_key
from sternpost.testing import Client

IDENTITY = "0198c1d0-7e3a-7cc1-9b2f-4f0e5a6b7c8d"


class Group(Resource, prefix="grp"):
    name: str

    create = Create(allow=public)
    read = Read(allow=public)


class Note(Resource, prefix="not"):
    group: One[Group] | None
    department: str | None
    kind: Literal["open", "secret"] = field(default="open")
    level: int = field(default=0)
    vendor: UUID | None
    done: bool = field(default=False)
    key: str | None

    browse = Browse(allow=this.department.in_(claim("departments")) | this.group.in_(claim("groups")))
    read = Read(allow=this.level.lte(claim("level")) | this.vendor.eq(claim("vendor")) | this.kind.eq(claim("kind")))
    create = Create(allow=public)
    update = Update(allow=~this.department.eq(claim("department")) & this.level.lte(claim("level")))
    delete = Delete(allow=this.key.eq(caller.api_key) | (this.done.eq(claim("done")) & this.level.lte(claim("level"))))


class Plan(Payload):
    name: str


class Report(Resource, prefix="rep"):
    text: str = field(default="")
    state: Literal["draft", "done"] = field(default="draft")

    staff = named("staff_only", scope("staff"), text="Only the staff of the clinic may do this")
    draft = named("still_a_draft", this.state.eq("draft"), text="A report that is done is not changed any more")
    paying = named("paid_plan", claim("plan").in_("pro", "team"), text="Your plan does not hold this")

    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=staff & draft)
    delete = Delete(allow=(staff | paying) & draft)
    export = Custom(on="collection", allow=claim("beta").eq(True) & paying, output=Plan)
    hidden = Custom(on="item", allow=~claim("blocked").eq(True) & authenticated)


@implements(Report.export)
async def export(ctx: Any) -> Plan:
    return Plan(name="pro")


@implements(Report.hidden)
async def hidden(ctx: Any, report: Report) -> None:
    return None


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    contract = Contract("claims", resources=[Group, Note, Report], api_keys=True)
    app = Sternpost(contract, services=[export, hidden], settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


async def new(client: Client, path: str = "notes", **body: Any) -> str:
    answer = await client.post(f"/api/v1/{path}", json=body)
    assert answer.status == 201, answer.json()
    return answer.data["id"]


async def test_a_list_of_a_claim_says_which_rows_there_are(client: Client) -> None:
    group = await new(client, "groups", name="a")
    ours, theirs = await new(client, department="eye"), await new(client, department="ear", groupId=group)
    await new(client)

    async def seen(**claims: Any) -> set[str]:
        token = client.token("ann", claims=claims)
        return {row["id"] for row in (await client.get("/api/v1/notes", token=token)).data}

    assert await seen(departments=["eye", "nose"]) == {ours}
    assert await seen(departments=["eye", "ear"]) == {ours, theirs}
    assert await seen(groups=[group]) == {theirs}
    assert await seen(departments=[]) == set()
    for wrong in (
        {},
        {"departments": "eye"},
        {"departments": ["eye", 1]},
        {"groups": ["grp_1"]},
        {"departments": None},
    ):
        token = client.token("ann", claims=wrong)
        assert (await client.get("/api/v1/notes", token=token)).status == 403, wrong  # whatever the row


@pytest.mark.parametrize(
    ("body", "claims", "status"),
    [
        ({"level": 3}, {"level": 3}, 200),
        ({"level": 3}, {"level": 2}, 404),
        ({"level": 3}, {"level": "3"}, 403),
        ({"level": 3}, {"level": True}, 403),
        ({"level": 3}, {"level": 2**63}, 403),
        ({"level": 9, "vendor": IDENTITY}, {"vendor": IDENTITY.upper()}, 200),
        ({"level": 9, "vendor": IDENTITY}, {"vendor": "x"}, 403),
        ({"level": 9, "kind": "secret"}, {"kind": "secret"}, 200),
        ({"level": 9, "kind": "secret"}, {"kind": "unheard"}, 403),
        ({"level": 9}, {}, 403),
    ],
)
async def test_values_are_compared_in_the_form_of_the_field(
    client: Client, body: dict[str, Any], claims: dict[str, Any], status: int
) -> None:
    note = await new(client, **body)
    answer = await client.get(f"/api/v1/notes/{note}", token=client.token("ann", claims=claims))
    assert answer.status == status, answer.json()


async def test_without_the_claim_neither_a_comparison_nor_its_negation_holds(client: Client) -> None:
    note = await new(client, department="eye")

    async def patch(**claims: Any) -> int:
        token = client.token("ann", claims=claims)
        return (await client.patch(f"/api/v1/notes/{note}", json={"done": True}, token=token)).status

    assert await patch(level=0, department="ear") == 200
    assert await patch(level=0, department="eye") == 403
    assert await patch(level=0) == 403
    assert await patch(level=0, department=7) == 403
    report = await new(client, "reports")
    for claims, status in (({"blocked": False}, 200), ({"blocked": True}, 403), ({}, 403)):
        token = client.token("ann", claims=claims)
        assert (await client.post(f"/api/v1/reports/{report}/hidden", token=token)).status == status, claims


async def test_callers_with_different_claims_are_told_apart(client: Client) -> None:
    """What is kept for one of them is not what another one gets, whoever comes first."""
    note = await new(client, level=2)
    for level, status in ((3, 200), (1, 404), (2, 200), (0, 404)):
        token = client.token("ann", claims={"level": level})
        assert (await client.get(f"/api/v1/notes/{note}", token=token)).status == status, level
    assert (await client.get(f"/api/v1/notes/{note}", token=client.token("ann"))).status == 403


async def test_the_key_of_the_caller(client: Client) -> None:
    running = client.app.running
    assert running is not None
    keys = running.runtime.storage.keys()
    texts: list[str] = []
    for number in (1, 2):
        text, stored = make_key("a key", "ann", (), id=f"key_{number:032x}", now=datetime(2026, 1, 1, tzinfo=UTC))
        await keys.add(stored)
        texts.append(text)
    note = await new(client, key=f"key_{1:032x}")
    assert (await client.delete(f"/api/v1/notes/{note}", token=texts[1])).status in (403, 404)
    assert (await client.delete(f"/api/v1/notes/{note}", token=client.token("ann"))).status in (403, 404)
    assert (await client.delete(f"/api/v1/notes/{note}", token=texts[0])).status == 204


async def test_who_is_refused_is_told_the_name_and_the_text(client: Client) -> None:
    report = await new(client, "reports")
    address = f"/api/v1/reports/{report}"
    refused = await client.patch(address, json={"text": "x"}, token=client.token("ann"))
    told = [{"path": "", "code": "staff_only", "message": "Only the staff of the clinic may do this"}]
    assert (refused.status, refused.error["details"]) == (403, told)
    staff = client.token("ann", "staff")
    assert (await client.patch(address, json={"state": "done"}, token=staff)).status == 403  # as the row would be
    async with client.app.data() as db:
        await db.table(Report).update({"id": report}, {"state": "done"})
    refused = await client.patch(address, json={"text": "x"}, token=staff)
    assert [detail["code"] for detail in refused.error["details"]] == ["still_a_draft"]
    refused = await client.delete(address, token=client.token("ann"))  # the row is not what decides
    assert [detail["code"] for detail in refused.error["details"]] == ["staff_only", "paid_plan"]
    refused = await client.delete(address, token=client.token("ann", claims={"plan": "pro"}))
    assert [detail["code"] for detail in refused.error["details"]] == ["still_a_draft"]


async def test_conditions_on_the_caller_alone(client: Client) -> None:
    async def post(**claims: Any) -> tuple[int, list[str]]:
        answer = await client.post("/api/v1/reports/export", token=client.token("ann", claims=claims))
        return answer.status, [each["code"] for each in answer.json().get("error", {}).get("details", [])]

    assert await post(beta=True, plan="pro") == (200, [])
    assert await post(beta=True, plan="free") == (403, ["paid_plan"])
    assert await post(beta=1, plan="pro") == (403, [])
    assert await post(beta=False) == (403, ["paid_plan"])
    assert (await client.post("/api/v1/reports/export")).status == 401

"""What the shop does not need: hidden fields, many-to-many writes, custom operations, mounts, CORS, two applications."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pytest

from sternpost import (
    Browse,
    Change,
    Context,
    Contract,
    Create,
    Custom,
    Json,
    Many,
    One,
    Payload,
    Read,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Transition,
    Unprocessable,
    Update,
    authenticated,
    caller,
    field,
    implements,
    many,
    one,
    public,
    scope,
    this,
)
from sternpost.errors import CATALOGUE
from sternpost.testing import Client
from tests.conftest import LogLines


class Person(Resource, prefix="per", owner="id", plural="people"):
    """Who borrows."""

    name: str
    salary: Decimal | None = field(default=None, decimal_places=2, read="people:salary", write="always", filter=True)
    volumes: Many[Volume] = many(max_length=2)

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)


class Lend(Payload):
    """To whom, and for how long."""

    person: str
    days: int = field(ge=1, le=30, default=14)


class Report(Payload):
    """What the library holds."""

    volumes: int
    worth: Decimal = field(decimal_places=2)
    on: date | None = None


class Volume(Resource, prefix="vol", owner="keeper_id", unique=[("title", "edition")]):
    """Something to borrow."""

    title: str = field(min_length=1, max_length=50, filter=True)
    edition: int = field(default=1, ge=1)
    price: Decimal = field(decimal_places=2, ge=0, le=1000, filter=True)
    rare: bool = field(default=False, filter=True)
    state: Literal["in", "out", "lost"] = field(default="in", write="never")
    keeper: One[Person] = one(default=caller)
    notes: Json = None
    days: int = field(default=0, write="never")
    subjects: Many[Subject] = many(through="volume_subjects", max_length=3)

    browse = Browse(
        sort=["title", "price"], default_sort=["-title"], allow=this.state.ne("lost") | scope("library:lost")
    )
    read = Read(allow=this.state.ne("lost") | scope("library:lost"))
    create = Create(allow=this.is_owner | scope("library:write"))
    replace = Replace(allow=this.is_owner)
    update = Update(allow=this.keeper.is_owner & ~scope("library:barred"))
    lend = Custom(input=Lend, allow=authenticated)
    report = Custom(method="GET", on="collection", output=Report, allow=public)
    forget = Custom(output=None, allow=this.is_owner)
    peek = Custom(method="GET", output=None, allow=public)
    lose = Transition("state", source=["in", "out"], target="lost", allow=scope("library:write"))


class Subject(Resource, prefix="sub"):
    """What a volume is about."""

    word: str = field(unique=True)
    volumes: Many[Volume] = many(through="volume_subjects", write="never")

    browse = Browse(allow=public)
    create = Create(allow=public)


@implements(Volume.lend)
async def lend(ctx: Context, volume: Volume, request: Lend) -> None:
    if volume.state != "in":
        raise Unprocessable("It is out already", code="ALREADY_OUT")
    person = await ctx.repository(Person).get(request.person)
    ctx.log.info("lent", password="hunter2", person=person.name)
    await ctx.repository(Volume).update(volume.id, {"state": "out", "days": request.days})


@implements(Volume.report)
async def report(ctx: Context) -> Report:
    volumes = await ctx.repository(Volume).find()
    assert len(volumes) == await ctx.repository(Volume).count()
    return Report(
        volumes=len(volumes), worth=sum((volume.price for volume in volumes), Decimal(0)), on=date(2026, 1, 1)
    )


@implements(Volume.forget)
async def forget(ctx: Context, volume: Volume) -> None:
    await ctx.repository(Volume).delete(volume.id)


@implements(Volume.create)
async def trim(ctx: Context, change: Change[Volume]) -> Volume:
    change["title"] = change["title"].strip() or "Untitled"
    return await change.apply()


@implements(Volume.peek)
async def peek(ctx: Context, volume: Volume) -> None:
    await ctx.repository(Volume).update(volume.id, {"title": "written by a read"})


CONTRACT = Contract("library", resources=[Person, Volume, Subject])
SERVICES = [lend, report, forget, peek, trim]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """A mounted application."""
    await send({"type": "http.response.start", "status": 203, "headers": []})
    await send({"type": "http.response.body", "body": scope["root_path"].encode()})


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    settings = make_settings(cors_origins=["https://app.example"])
    app = Sternpost(CONTRACT, services=SERVICES, settings=settings, mounts={"/old": echo}, write_log=log_lines)
    async with Client(app) as client:
        yield client


async def person(client: Client, name: str = "Ann", **more: Any) -> dict[str, Any]:
    return (await client.post("/api/v1/people", json={"name": name, **more})).data


async def volume(client: Client, keeper: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = await client.post(
        "/api/v1/volumes", json={"title": "T", "price": "9.90", **more}, token=client.token(keeper["id"])
    )
    assert answer.status == 201, answer.content
    return answer.data


async def test_a_field_needs_its_scope_everywhere(client: Client) -> None:
    ann = await person(client, salary="100.00")
    assert "salary" not in ann
    payroll = client.token("boss", "people:salary")
    address = f"/api/v1/people/{ann['id']}"
    assert "salary" not in (await client.get(address)).data
    assert (await client.get(address, token=payroll)).data["salary"] == "100.00"
    assert "salary" not in (await client.get("/api/v1/people")).data[0]
    assert (await client.get("/api/v1/people", token=payroll)).data[0]["salary"] == "100.00"
    assert (await client.get("/api/v1/people?salary[gte]=1")).status == 400
    assert len((await client.get("/api/v1/people?salary[gte]=1", token=payroll)).data) == 1
    item = await volume(client, ann)
    assert "salary" not in (await client.get(f"/api/v1/volumes/{item['id']}?include=keeper")).data["keeper"]
    assert (await client.get(f"/api/v1/volumes/{item['id']}?include=keeper", token=payroll)).data["keeper"][
        "salary"
    ] == "100.00"


async def test_the_caller_is_the_default_and_decimals_are_text(client: Client) -> None:
    ann = await person(client)
    item = await volume(client, ann, title="  Moby  ")
    assert (item["keeperId"], item["price"], item["title"], item["notes"], item["rare"]) == (
        ann["id"],
        "9.90",
        "Moby",
        None,
        False,
    )
    for price in (9.9, "9.999", "-1", "1000.01", "1e2", "NaN", " 1", ""):
        answer = await client.post(
            "/api/v1/volumes", json={"title": "T", "price": price}, token=client.token(ann["id"])
        )
        assert answer.status == 400, price
        assert answer.error["details"][0]["path"] == "price"
    assert (await client.get("/api/v1/volumes?price=9.9")).json()["meta"]["totalCount"] == 1
    assert (await client.get("/api/v1/volumes?rare=false&price[in]=1,9.90")).json()["meta"]["totalCount"] == 1


async def test_two_fields_together_are_unique(client: Client) -> None:
    ann = await person(client)
    await volume(client, ann)
    answer = await client.post("/api/v1/volumes", json={"title": "T", "price": "1"}, token=client.token(ann["id"]))
    assert (answer.status, [detail["path"] for detail in answer.error["details"]]) == (409, ["title", "edition"])
    await volume(client, ann, edition=2)


async def test_many_to_many_is_written_by_ids(client: Client) -> None:
    ann = await person(client)
    subjects = [(await client.post("/api/v1/subjects", json={"word": word})).data["id"] for word in ("sea", "whales")]
    item = await volume(client, ann, subjectIds=subjects)
    address, mine = f"/api/v1/volumes/{item['id']}", client.token(ann["id"])
    assert [s["word"] for s in (await client.get(address + "?include=subjects")).data["subjects"]] == ["sea", "whales"]
    assert (await client.patch(address, json={"title": "U"}, token=mine)).status == 200
    assert [s["word"] for s in (await client.get(address + "/subjects")).data] == ["sea", "whales"]
    assert (await client.patch(address, json={"subjectIds": subjects[1:]}, token=mine)).status == 200
    assert [s["word"] for s in (await client.get(address + "/subjects")).data] == ["whales"]
    assert (await client.get("/api/v1/subjects?include=volumes")).data[0]["volumes"] == []
    missing = await client.patch(address, json={"subjectIds": ["sub_" + "0" * 32]}, token=mine)
    assert (missing.status, missing.error["code"], missing.error["details"][0]["path"]) == (
        422,
        "REFERENCE_NOT_FOUND",
        "subjectIds.0",
    )
    assert (await client.patch(address, json={"subjectIds": subjects * 2}, token=mine)).status == 400
    assert (await client.put(address, json={"title": "V", "price": "1"}, token=mine)).data["title"] == "V"
    assert (await client.get(address + "/subjects")).data == []


async def test_custom_operations(client: Client, log_lines: LogLines) -> None:
    ann = await person(client)
    item, token = await volume(client, ann), client.token("anyone")
    address = f"/api/v1/volumes/{item['id']}"
    lent = await client.post(address + "/lend", json={"person": ann["id"]}, token=token)
    assert (lent.status, lent.data["state"], lent.data["days"]) == (200, "out", 14)
    assert b"hunter2" not in b"".join(log_lines.raw)
    assert any(
        line["message"] == "lent" and line["password"] == "***" and line["person"] == "Ann" for line in log_lines.lines
    )
    again = await client.post(address + "/lend", json={"person": ann["id"]}, token=token)
    assert (again.status, again.error["code"]) == (422, "ALREADY_OUT")
    wrong = await client.post(address + "/lend", json={"person": ann["id"], "days": 31, "x": 1}, token=token)
    assert {detail["path"] for detail in wrong.error["details"]} == {"days", "x"}
    assert (await client.post(address + "/lend", json={"person": "per_" + "0" * 32}, token=token)).status == 422
    assert (await client.get("/api/v1/volumes/report")).data == {"volumes": 1, "worth": "9.90", "on": "2026-01-01"}
    assert (await client.post(address + "/forget", token=token)).status == 403
    assert (await client.post(address + "/forget", content=b"[1]", token=client.token(ann["id"]))).status == 400
    gone = await client.post(address + "/forget", token=client.token(ann["id"]))
    assert (gone.status, gone.content) == (204, b"")
    assert (await client.get(address)).status == 404


async def test_policies_on_values_of_the_row(client: Client) -> None:
    ann = await person(client)
    item, writer = await volume(client, ann), client.token("w", "library:write")
    address = f"/api/v1/volumes/{item['id']}"
    barred = client.token(ann["id"], "library:barred")
    assert (await client.patch(address, json={"rare": True}, token=barred)).status == 403
    assert (await client.post(address + "/lose", token=writer)).data["state"] == "lost"
    assert (await client.get(address)).status == 404
    assert (await client.get("/api/v1/volumes")).json()["meta"]["totalCount"] == 0
    assert (await client.get("/api/v1/volumes", token=client.token("x", "library:lost"))).json()["meta"][
        "totalCount"
    ] == 1
    assert (await client.get(f"/api/v1/people/{ann['id']}")).status == 200


async def test_cors_is_open_for_the_declared_origin_only(client: Client) -> None:
    asked = {
        "origin": "https://app.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    preflight = await client.request("OPTIONS", "/api/v1/volumes", headers=asked)
    assert (preflight.status, preflight.headers["access-control-allow-origin"]) == (200, "https://app.example")
    answer = await client.get("/api/v1/volumes", headers={"origin": "https://app.example"})
    assert answer.headers["access-control-allow-origin"] == "https://app.example"
    other = await client.get("/api/v1/volumes", headers={"origin": "https://evil.example"})
    assert "access-control-allow-origin" not in other.headers
    assert (
        await client.request("OPTIONS", "/api/v1/volumes", headers={**asked, "origin": "https://evil.example"})
    ).status == 400


async def test_a_mounted_application_is_outside_the_pipeline_but_logged(client: Client, log_lines: LogLines) -> None:
    answer = await client.get("/old/page")
    assert (answer.status, answer.content) == (203, b"/old")
    assert (log_lines.requests[-1]["status"], log_lines.requests[-1]["path"]) == (203, "/old/page")


async def test_two_applications_in_one_process(
    make_settings: Callable[..., Settings], client: Client, tmp_path: Any
) -> None:
    other = Sternpost(
        CONTRACT,
        services=SERVICES,
        settings=make_settings(
            database_url=f"sqlite:///{tmp_path / 'other.sqlite'}", jwt_secret="o" * 20 + "-other-secret-0123456789"
        ),
    )
    async with Client(other) as second:
        ann = await person(client)
        assert (await second.get(f"/api/v1/people/{ann['id']}")).status == 404
        assert (
            await second.post("/api/v1/volumes", json={"title": "T", "price": "1"}, token=client.token(ann["id"]))
        ).status == 401
        assert (await second.get("/api/v1/people")).json()["meta"]["totalCount"] == 0


def test_codes_of_the_catalogue_are_unique_and_well_formed() -> None:
    assert all(code == entry.code and code.isupper() for code, entry in CATALOGUE.items())
    assert all(entry.message and entry.fix and 400 <= entry.http < 600 for entry in CATALOGUE.values())


async def test_an_include_that_is_cut_says_so(client: Client) -> None:
    ann = await person(client)
    for number in range(2):
        await volume(client, ann, title=f"V{number}")
    for address in (f"/api/v1/people/{ann['id']}", "/api/v1/people"):
        assert "truncated" not in (await client.get(f"{address}?include=volumes")).json()["meta"]
    await volume(client, ann, title="V2")
    one = (await client.get(f"/api/v1/people/{ann['id']}?include=volumes")).json()
    assert (len(one["data"]["volumes"]), one["meta"]["truncated"]) == (2, ["volumes"])
    many = (await client.get("/api/v1/people?include=volumes")).json()
    assert (len(many["data"][0]["volumes"]), many["meta"]["truncated"]) == (2, ["volumes"])


async def test_a_get_operation_cannot_write(client: Client, log_lines: LogLines) -> None:
    item = await volume(client, await person(client))
    address = f"/api/v1/volumes/{item['id']}"
    assert (await client.get(address + "/peek")).status == 500
    assert (await client.get(address)).data["title"] == "T"
    (line,) = [line for line in log_lines.lines if "stack" in line]
    assert 'Declare it with method="POST" to write' in line["stack"]

"""Fields that are computed when their row is read, over HTTP on each database: by every way to read, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Literal

import pytest

from sternpost import (
    Added,
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Delete,
    Many,
    One,
    Owned,
    Read,
    Renamed,
    Resource,
    Settings,
    Sternpost,
    Transition,
    Update,
    Version,
    authenticated,
    computed,
    computes,
    count_of,
    exists_of,
    field,
    implements,
    in_python,
    latest_of,
    many,
    now,
    public,
    scope,
    sum_of,
    this,
)
from sternpost.testing import Client
from tests.conftest import LogLines

TODAY = date(2026, 6, 1)


class Patient(Resource, prefix="pat", soft_delete=True):
    name: str = field(filter=True)
    born_on: date
    weight: int | None = field(read="patients:weight")
    state: Literal["new", "known"] = field(default="new", write="never")
    version: int = field(auto="version")
    visits: Many[Visit] = many(max_length=50)
    notes: Owned[Note]
    groups: Many[Group] = many(through="patient_groups")
    children: Many[Patient]
    parent: One[Patient] | None

    words: int = computed(sum_of("notes", "words"))
    visit_count: int = computed(count_of("visits", where=this.status != "cancelled"))
    every_visit: int = computed(count_of("visits", all=True))
    has_open: bool = computed(exists_of("visits", where=this.status.eq("open")))
    upcoming: int = computed(count_of("visits", where=this.starts_at > now()))
    last_visit: datetime | None = computed(latest_of("visits", "starts_at"))
    last_status: Literal["open", "done", "cancelled"] | None = computed(latest_of("visits", "status", by="starts_at"))
    last_fee: Decimal | None = computed(latest_of("visits", "fee", by="starts_at"), read="visits:fees")
    note_count: int = computed(count_of("notes"))
    group_count: int = computed(count_of("groups"))
    child_count: int = computed(count_of("children", where=this.born_on >= date(1980, 1, 1)))
    age: int = computed(in_python("born_on"), ge=0, le=200)
    label: str = computed(in_python("name", "parent"), max_length=50)
    heavy: bool | None = computed(in_python("weight", all=True))

    browse = Browse(allow=public, sort=["name"], export=True, max_page_size=100)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)
    meet = Transition("state", source="new", target="known", allow=public)
    find = Custom(on="collection", method="GET", output=list["Patient"], max_items=10, allow=public)
    touch = Custom(allow=public)


class Visit(Resource, prefix="vis", owner="doctor", soft_delete=True):
    patient: One[Patient]
    doctor: str
    status: Literal["open", "done", "cancelled"] = field(default="open")
    starts_at: datetime
    fee: Decimal | None = field(decimal_places=2, read="visits:fees")
    first_name: str = computed(in_python("doctor"))

    browse = Browse(allow=this.is_owner | scope("visits:all"))
    create = Create(allow=authenticated)
    delete = Delete(allow=public)


class Note(Resource, prefix="not"):
    patient: One[Patient]
    text: str
    words: int
    loud: bool = computed(in_python("text"))


class Group(Resource, prefix="gro"):
    name: str
    patients: Many[Patient] = many(through="patient_groups", write="never")
    size: int = computed(count_of("patients"))

    browse = Browse(allow=scope("groups"))
    read = Read(allow=scope("groups"))
    create = Create(allow=public)


CALLS: list[tuple[str, int]] = []
GIVEN: dict[str, Any] = {}


@computes(Patient, "age")
async def ages(ctx: Context, rows: Sequence[Patient]) -> Sequence[int]:
    CALLS.append(("age", len(rows)))
    assert all({*vars(row)} == {"id", "born_on"} for row in rows)
    if "wait" in GIVEN:
        await GIVEN["wait"].wait()
    return GIVEN.get("age", [TODAY.year - row.born_on.year for row in rows])


@computes(Patient, "label")
async def labels(ctx: Context, rows: Sequence[Patient]) -> list[str]:
    who = ctx.principal.subject if ctx.principal else "nobody"
    if "write" in GIVEN:
        await ctx.repository(Patient).update(rows[0].id, {"name": "changed"})
    known = {row.id: row.name for row in await ctx.repository(Patient).find(fields=["id", "name"])}
    return [f"{who}: {row.name} of {known[row.parent.id] if row.parent else 'nobody'}" for row in rows]


@computes(Patient, "heavy")
async def heavy(ctx: Context, rows: Sequence[Patient]) -> list[bool | None]:
    return [None if row.weight is None else row.weight > 100 for row in rows]


@computes(Visit, "first_name")
async def first_names(ctx: Context, rows: Sequence[Visit]) -> list[str]:
    CALLS.append(("first_name", len(rows)))
    return [row.doctor.capitalize() for row in rows]


@computes(Note, "loud")
async def loud(ctx: Context, rows: Sequence[Note]) -> list[bool]:
    CALLS.append(("loud", len(rows)))
    return [row.text.isupper() for row in rows]


@implements(Patient.find)
async def find(ctx: Context) -> list[str]:
    return [row.id for row in await ctx.repository(Patient).find(order=["name"], limit=3)]


@implements(Patient.touch)
async def touch(ctx: Context, row: Patient) -> None:
    await ctx.repository(Visit).create(
        {"patient_id": row.id, "doctor": "ada", "starts_at": datetime(2030, 1, 1, tzinfo=UTC)}
    )


contract = Contract(
    "clinic",
    api_version="v2",
    resources=[Patient, Visit, Note, Group],
    older=[Version("v1", changes=[Added(Patient, "has_open"), Renamed(Patient, "age", was="years")])],
)
services = [ages, labels, heavy, first_names, loud, find, touch]


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    GIVEN.clear()
    app = Sternpost(contract, services=services, settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        yield client


async def patient(client: Client, **values: Any) -> dict[str, Any]:
    answer = await client.post("/api/v2/patients", json={"name": "Pat", "bornOn": "1980-01-01", **values})
    assert answer.status == 201, answer.content
    return answer.data


async def visit(client: Client, patient: str, doctor: str, **values: Any) -> dict[str, Any]:
    body = {"patientId": patient, "doctor": doctor, "startsAt": "2026-01-01T00:00:00Z", **values}
    answer = await client.post("/api/v2/visits", json=body, token=client.token(doctor, "visits:fees"))
    assert answer.status == 201, answer.content
    return answer.data


async def test_what_is_computed(client: Client) -> None:
    made = await patient(client, notes=[{"text": "HELLO", "words": 2}, {"text": "so", "words": 3}])
    assert made["words"] == 5
    assert (made["visitCount"], made["hasOpen"], made["lastVisit"], made["age"]) == (0, False, None, 46)
    assert [note["loud"] for note in made["notes"]] == [True, False]
    assert made["noteCount"] == 2
    at = f"/api/v2/patients/{made['id']}"
    await visit(client, made["id"], "ada", status="done", fee="2.50")
    gone = await visit(client, made["id"], "ada", startsAt="2029-01-01T00:00:00Z")
    await visit(client, made["id"], "bob", startsAt="2031-01-01T00:00:00Z", fee="9.00", status="cancelled")
    await client.delete(f"/api/v2/visits/{gone['id']}")
    ada = await client.get(at, token=client.token("ada"))
    seen = {name: ada.data[name] for name in ("visitCount", "everyVisit", "hasOpen", "upcoming", "lastStatus")}
    assert seen == {"visitCount": 1, "everyVisit": 2, "hasOpen": False, "upcoming": 0, "lastStatus": "done"}
    assert ada.data["lastVisit"] == "2026-01-01T00:00:00Z"
    assert "lastFee" not in ada.data
    bob = await client.get(at, token=client.token("bob", "visits:fees"))
    seen = {name: bob.data[name] for name in ("visitCount", "everyVisit", "hasOpen", "upcoming", "lastStatus")}
    assert seen == {"visitCount": 0, "everyVisit": 2, "hasOpen": False, "upcoming": 1, "lastStatus": "cancelled"}
    assert bob.data["lastFee"] == "9.00"
    assert bob.data["label"] == "bob: Pat of nobody"
    nobody = (await client.get(at)).data
    assert (nobody["visitCount"], nobody["everyVisit"], nobody["lastVisit"]) == (0, 2, None)
    changed = await client.patch(at, json={"name": "Pam"}, token=client.token("ada"))
    assert (changed.data["label"], changed.data["visitCount"]) == ("ada: Pam of nobody", 1)
    moved = await client.post(f"{at}/meet", token=client.token("ada"))
    assert (moved.data["state"], moved.data["visitCount"], moved.data["age"]) == ("known", 1, 46)
    touched = await client.post(f"{at}/touch", token=client.token("ada"))
    assert (touched.data["visitCount"], touched.data["upcoming"]) == (2, 1)
    await patient(client, parentId=made["id"], bornOn="2010-01-01")
    await patient(client, parentId=made["id"], bornOn="1979-01-01")
    assert (await client.get(at)).data["childCount"] == 1
    found = await client.get("/api/v2/patients/find", token=client.token("ada"))
    assert sorted(each["visitCount"] for each in found.data) == [0, 0, 2]
    tag = (await client.get(at)).headers["etag"]
    await visit(client, made["id"], "ada")
    same = await client.get(at, headers={"if-none-match": tag})
    assert same.status == 200
    assert same.data["everyVisit"] == 4


async def test_fields_and_includes(client: Client, log_lines: LogLines) -> None:
    parent = await patient(client, name="Ann", notes=[{"text": "A", "words": 1}])
    for number in range(3):
        child = await patient(client, name=f"Kid {number}", parentId=parent["id"], notes=[{"text": "b", "words": 1}])
        await visit(client, child["id"], "ada")
        await visit(client, child["id"], "bob")
    ada = client.token("ada")
    CALLS.clear()
    only = await client.get("/api/v2/patients?fields=age&sort=name&pageSize=2", token=ada)
    assert only.data == [{"age": 46}, {"age": 46}]
    assert [{"age", 2}] == [{*call} for call in CALLS]
    assert log_lines.requests[-1]["statements"] == 1
    plain = await client.get("/api/v2/patients?fields=name,visitCount&sort=name", token=ada)
    assert plain.data[:2] == [{"name": "Ann", "visitCount": 0}, {"name": "Kid 0", "visitCount": 1}]
    CALLS.clear()
    whole = await client.get("/api/v2/patients?include=visits.patient,parent&sort=name", token=ada)
    assert [len(each["visits"]) for each in whole.data] == [0, 1, 1, 1]
    assert {each["firstName"] for row in whole.data for each in row["visits"]} == {"Ada"}
    assert [row["parent"] and row["parent"]["childCount"] for row in whole.data] == [None, 3, 3, 3]
    assert whole.data[1]["visits"][0]["patient"]["visitCount"] == 1
    # once for the page, for its notes, for what is read along
    assert sorted(CALLS) == [("age", 1), ("age", 3), ("age", 4), ("first_name", 3), *[("loud", n) for n in (1, 3, 4)]]
    kept = await client.get("/api/v2/patients?fields=name&include=parent&fields=name", token=ada)
    assert kept.status == 400
    below = await client.get("/api/v2/patients?fields=parent.label,name&sort=-name&pageSize=1", token=ada)
    assert below.data == [{"name": "Kid 2", "parent": {"label": "ada: Ann of nobody"}}]
    for query in ("visitCount=1", "age[gte]=3", "sort=age", "sort=visitCount", "include=age"):
        refused = await client.get(f"/api/v2/patients?{query}")
        assert refused.status == 400, query
    for body in ({"age": 3}, {"visitCount": 3}):
        refused = await client.patch(f"/api/v2/patients/{parent['id']}", json=body)
        assert refused.status in (400, 422), body


async def test_exports_batches_and_versions(client: Client) -> None:
    made = await patient(client, notes=[{"text": "A", "words": 1}])
    await visit(client, made["id"], "ada")
    ada = client.token("ada")
    lines = await client.get("/api/v2/patients", headers={"accept": "application/x-ndjson"}, token=ada)
    assert b'"visitCount":1' in lines.content
    assert b'"age":46' in lines.content
    assert b'"loud":true' in lines.content
    csv = await client.get("/api/v2/patients?fields=age,visitCount,name", headers={"accept": "text/csv"}, token=ada)
    assert csv.content.decode().split() == ["name,visitCount,age", "Pat,1,46"]
    steps = [
        {"operation": "patients.create", "body": {"name": "Bo", "bornOn": "2000-01-01"}},
        {"operation": "patients.read", "id": made["id"]},
    ]
    batch = await client.post("/api/v2/$batch", json={"operations": steps}, token=ada)
    assert batch.status == 200, batch.content
    first, second = (each["data"] for each in batch.data)
    assert (first["age"], first["visitCount"], second["visitCount"]) == (26, 0, 1)
    older = await client.get(f"/api/v1/patients/{made['id']}", token=ada)
    assert older.data["years"] == 46
    assert older.data["visitCount"] == 1
    assert "hasOpen" not in older.data
    assert "age" not in older.data
    some = await client.get("/api/v1/patients?fields=years&sort=name&pageSize=1", token=ada)
    assert some.data == [{"years": 26}]
    assert (await client.get("/api/v1/patients?fields=hasOpen", token=ada)).status == 400
    group = await client.post("/api/v2/groups", json={"name": "G"})
    await client.patch(
        f"/api/v2/patients/{made['id']}", json={"groupIds": [group.data["id"]]}, token=client.token("ada", "groups")
    )
    assert (await client.get(f"/api/v2/patients/{made['id']}")).data["groupCount"] == 0
    asked = await client.get(f"/api/v2/patients/{made['id']}?include=groups", token=client.token("ada", "groups"))
    assert (asked.data["groupCount"], asked.data["groups"][0]["size"]) == (1, 1)


async def test_mistakes_of_a_function(client: Client, log_lines: LogLines) -> None:
    made = await patient(client)
    for given in ([1, 2], [], None, "ab", [None], ["x"], [-1], [201], [True], {}):
        GIVEN["age"] = given
        log_lines.raw.clear()
        answer = await client.get(f"/api/v2/patients/{made['id']}")
        assert answer.status == 500, given
        assert b"Patient" not in answer.content
        assert "Patient.age" in str(log_lines.raw)
        assert (await client.get(f"/api/v2/patients/{made['id']}?fields=name")).status == 200


async def test_a_function_has_the_time_of_the_operation(make_settings: Callable[..., Settings]) -> None:
    GIVEN.clear()
    settings = make_settings(request_timeout_seconds=0.3)
    async with Client(Sternpost(contract, services=services, settings=settings)) as client:
        made = await patient(client)
        GIVEN["wait"] = asyncio.Event()
        answer = await client.get(f"/api/v2/patients/{made['id']}")
        assert (answer.status, answer.error["code"]) == (504, "TIMEOUT")
        GIVEN.clear()


async def test_a_function_only_reads(client: Client, log_lines: LogLines) -> None:
    made = await patient(client)
    GIVEN["write"] = True
    assert (await client.get(f"/api/v2/patients/{made['id']}")).status == 500
    assert (await client.patch(f"/api/v2/patients/{made['id']}", json={"name": "Other"})).status == 500
    assert "only reads" in str(log_lines.raw)
    GIVEN.clear()
    assert (await client.get(f"/api/v2/patients/{made['id']}")).data["name"] == "Pat"


async def test_data_client(client: Client) -> None:
    made = await patient(client, name="Ann")
    await visit(client, made["id"], "ada", fee="1.00")
    await visit(client, made["id"], "bob")
    async with client.app.data() as db:
        names = ["name", "visit_count", "last_fee", "age", "has_open"]
        row = await db.table(Patient).get(made["id"], fields=names)
        assert (row.name, row.visit_count, row.age, row.has_open) == ("Ann", 2, 46, True)
        whole = await db.table(Patient).get(made["id"])
        with pytest.raises(Exception, match="not loaded"):
            _ = whole.visit_count
        with pytest.raises(TypeError, match="computed when a row is read"):
            await db.table(Patient).find({"visit_count": 1})
        with pytest.raises(TypeError, match="computed when a row is read"):
            await db.table(Patient).find(order=["age"])
        again = await db.table(Patient).update(
            made["id"], {"name": "Eve"}, include={"visits": {"fields": ["first_name"]}, "parent": True}
        )
        assert sorted(each.first_name for each in again.visits) == ["Ada", "Bob"]
        below = await db.table(Visit).find(include={"patient": {"fields": ["upcoming", "age"]}})
        assert {each.patient.row.age for each in below} == {46}
        with pytest.raises(Exception, match="visit_count"):
            await db.table(Patient).create({"name": "x", "born_on": TODAY, "visit_count": 3})


@pytest.mark.parametrize("seed", range(3))
async def test_lists_equal_what_python_computes(client: Client, seed: int) -> None:
    """The oracle: what the caller gets by asking the list of visits, computed by hand."""
    random = Random(seed)
    patients = [(await patient(client, name=f"P{n}"))["id"] for n in range(5)]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for _ in range(25):
        made = await visit(
            client,
            random.choice(patients),
            random.choice(["ada", "bob", "cy"]),
            status=random.choice(["open", "done", "cancelled"]),
            startsAt=(start + timedelta(days=365 * random.randint(0, 9))).isoformat(),
            fee=random.choice([None, "1.00", "2.50"]),
        )
        if random.random() < 0.2:
            await client.delete(f"/api/v2/visits/{made['id']}")
    everything = (await client.get("/api/v2/visits?pageSize=100", token=client.token("x", "visits:all"))).data
    for token in (None, client.token("ada"), client.token("bob", "visits:fees"), client.token("x", "visits:all")):
        asked = await client.get("/api/v2/visits?pageSize=100", token=token)
        seen: list[dict[str, Any]] = asked.data if asked.status == 200 else []
        for row in (await client.get("/api/v2/patients?pageSize=100", token=token)).data:
            own = sorted((v for v in seen if v["patientId"] == row["id"]), key=lambda v: (v["startsAt"], v["id"]))
            assert row["visitCount"] == sum(v["status"] != "cancelled" for v in own)
            assert row["everyVisit"] == sum(v["patientId"] == row["id"] for v in everything)
            assert row["hasOpen"] == any(v["status"] == "open" for v in own)
            assert row["lastVisit"] == (own[-1]["startsAt"] if own else None)
            assert row["lastStatus"] == (own[-1]["status"] if own else None)
            assert row.get("lastFee") == (own[-1].get("fee") if own else None)

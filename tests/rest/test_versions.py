"""Two and three versions of one API over the same rows, on each database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal

import pytest
from openapi_spec_validator import validate

from sternpost import (
    Added,
    Browse,
    Change,
    Changed,
    Context,
    Contract,
    Create,
    Custom,
    Delete,
    Many,
    One,
    Owned,
    Payload,
    Read,
    Removed,
    Renamed,
    Replace,
    Resource,
    Restore,
    Settings,
    Sternpost,
    Transition,
    Update,
    Version,
    field,
    implements,
    many,
    one,
    public,
    scope,
    this,
)
from sternpost.app.sensitive import sensitive_names
from sternpost.compile.compiler import compile_contract
from sternpost.testing import Client
from tests.conftest import LogLines


class Task(Resource, prefix="tsk"):
    person: One[Person]
    title: str = field(max_length=40)
    minutes: int = field(ge=0, default=0)


class Person(Resource, prefix="per", plural="people"):
    full_name: str = field(max_length=20, filter=True)
    email: str = field(unique=True)
    locale: str
    nickname: str | None = field(filter=True)
    state: Literal["active", "away", "left"] = field(default="active", filter=True)
    score: int = field(default=0, ge=0)
    note: str | None
    tasks: Owned[Task] = many(max_length=5)

    browse = Browse(sort=["full_name", "locale"], export=True, allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    replace = Replace(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=scope("people:admin"))
    retire = Custom(allow=public)
    wake = Custom(allow=public)


@implements(Person.create)
async def create_person(context: Context, change: Change[Person]) -> Person:
    change["email"] = change["email"].lower()
    person = await change.apply()
    assert person.full_name is not None
    return person


@implements(Person.retire)
async def retire(context: Context, person: Person) -> None:
    await context.repository(Person).update(person.id, {"state": "left"})


@implements(Person.wake)
async def wake(context: Context, person: Person) -> None:
    await context.repository(Person).update(person.id, {"state": "active"})


V1 = [
    Renamed(Person, "full_name", was="name"),
    Added(Person, "locale", default="en"),
    Removed(Person, "nickname"),
    Changed(Person, "full_name", was={"max_length": 30}),
    Changed(Person, "state", was={"choices": ["active", "left"]}, shown={"away": "active"}),
    Changed(Person, "score", was={"type": "string", "max_length": 9}, up=int, down=str),
    Changed(Person, "note", was={"nullable": False, "default": ""}, shown={None: ""}),
    Changed(Person, "delete", was={"allow": public}),
    Changed(Person, "browse", was={"max_page_size": 2}),
    Renamed(Person, "tasks", was="jobs"),
    Renamed(Task, "minutes", was="duration"),
    Added(Person, "retire"),
    Removed(Person, "wake"),
]
SERVICES: Any = [create_person, retire, wake]


def contract(**more: Any) -> Contract:
    older = Version(
        "v1",
        V1,
        deprecated=date(2026, 10, 1),
        sunset=date(2027, 4, 1),
        link="https://example.com/v2",
        **more,
    )
    return Contract("people", resources=[Person, Task], api_version="v2", older=[older])


NEW = {"name": "Ada Lovelace", "email": "Ada@example.com", "nickname": "al", "score": "7"}


@pytest.fixture
async def app(make_settings: Callable[..., Settings], log_lines: LogLines) -> Sternpost:
    return Sternpost(contract(), services=SERVICES, settings=make_settings(), write_log=log_lines)


async def test_written_through_one_and_read_through_the_other(app: Sternpost, log_lines: LogLines) -> None:
    async with Client(app) as client:
        made = await client.post("/api/v1/people", json={**NEW, "jobs": [{"title": "Think", "duration": 5}]})
        assert made.status == 201, made.json()
        old = made.data
        assert made.headers["location"] == f"/api/v1/people/{old['id']}"
        assert {"name", "email", "nickname", "state", "score", "note", "jobs", "id"} == set(old)
        assert (old["score"], old["note"], old["jobs"][0]["duration"]) == ("7", "", 5)

        new = (await client.get(f"/api/v2/people/{old['id']}")).data
        assert {"fullName", "email", "locale", "state", "score", "note", "tasks", "id"} == set(new)
        assert (new["fullName"], new["locale"], new["score"], new["email"]) == (
            "Ada Lovelace",
            "en",
            7,
            "ada@example.com",
        )
        assert new["tasks"][0]["minutes"] == 5

        change = {"fullName": "Ada King", "state": "away", "note": None, "locale": "fr", "score": 8}
        assert (await client.patch(f"/api/v2/people/{old['id']}", json=change)).status == 200
        again = (await client.get(f"/api/v1/people/{old['id']}")).data
        assert (again["name"], again["state"], again["note"], again["score"]) == ("Ada King", "active", "", "8")
        assert again["nickname"] == "al"

        patched = await client.patch(f"/api/v1/people/{old['id']}", json={"name": "A" * 30})
        assert patched.data["name"] == "A" * 30
        replaced: dict[str, Any] = {"name": "Ada", "email": "ada@example.com", "jobs": []}
        assert (await client.put(f"/api/v1/people/{old['id']}", json=replaced)).status == 200
        kept = (await client.get(f"/api/v2/people/{old['id']}")).data
        assert (kept["locale"], kept["fullName"], kept["tasks"]) == ("fr", "Ada", [])
    versions = [line["apiVersion"] for line in log_lines.lines if line.get("operation")]
    assert set(versions) == {"v1", "v2"}


async def test_each_version_has_its_names_in_lists_and_errors(app: Sternpost) -> None:
    async with Client(app) as client:
        for number in range(3):
            person = {"name": f"P{number}", "email": f"p{number}@example.com", "nickname": f"n{number}"}
            assert (await client.post("/api/v1/people", json=person)).status == 201
        listed = await client.get("/api/v1/people?sort=-name&name[ne]=P1&fields=name,jobs")
        assert [row["name"] for row in listed.data] == ["P2", "P0"]
        assert set(listed.data[0]) == {"name", "jobs"}
        assert (await client.get("/api/v1/people?nickname=n1")).json()["meta"]["totalCount"] == 1
        first = await client.get("/api/v1/people?sort=name&cursor=&pageSize=2")
        cursor = first.json()["meta"]["nextCursor"]
        assert first.headers["link"] == f'</api/v1/people?sort=name&pageSize=2&cursor={cursor}>; rel="next"'
        rest = await client.get(f"/api/v1/people?sort=name&pageSize=2&cursor={first.json()['meta']['nextCursor']}")
        assert [row["name"] for row in rest.data] == ["P2"]
        for path in (
            "/api/v1/people?fullName=P1",
            "/api/v1/people?sort=locale",
            "/api/v1/people?pageSize=3",
            "/api/v1/people?score=0",
            "/api/v2/people?name=P1",
            "/api/v2/people?nickname=n1",
            "/api/v2/people?fields=nickname",
        ):
            assert (await client.get(path)).status == 400, path
        assert (await client.get("/api/v2/people?pageSize=3")).status == 200

        refused = await client.post("/api/v1/people", json={"fullName": "x", "locale": "de", "email": "x"})
        assert {detail["path"]: detail["code"] for detail in refused.error["details"]} == {
            "name": "missing",
            "fullName": "unknown_field",
            "locale": "unknown_field",
        }
        refused = await client.post("/api/v2/people", json={"fullName": "x" * 21, "email": "x", "nickname": "y"})
        assert {detail["path"] for detail in refused.error["details"]} == {"fullName", "locale", "nickname"}
        refused = await client.post("/api/v1/people", json={**NEW, "score": "many"})
        assert [detail["path"] for detail in refused.error["details"]] == ["score"]
        taken = await client.post("/api/v1/people", json={**NEW, "email": "p1@example.com"})
        assert (taken.status, taken.error["details"][0]["path"]) == (409, "email")


async def test_a_cursor_is_one_of_its_version(app: Sternpost) -> None:
    """The lists of two versions may hold other rows, and the same cursor would go on in both."""
    async with Client(app) as client:
        for number in range(3):
            person = {"name": f"P{number}", "email": f"p{number}@example.com", "nickname": ""}
            assert (await client.post("/api/v1/people", json=person)).status == 201
        lists = ["/api/v1/people?pageSize=1&sort=name", "/api/v2/people?pageSize=1&sort=fullName"]
        cursors = [(await client.get(f"{address}&cursor=")).json()["meta"]["nextCursor"] for address in lists]
        for address, own, other in zip(lists, cursors, reversed(cursors), strict=True):
            assert (await client.get(f"{address}&cursor={own}")).status == 200
            refused = await client.get(f"{address}&cursor={other}")
            assert (refused.status, refused.error["details"][0]["code"]) == (400, "invalid_cursor")


async def test_an_export_has_the_names_of_its_version(app: Sternpost) -> None:
    async with Client(app) as client:
        assert (await client.post("/api/v1/people", json=NEW)).status == 201
        export = await client.get("/api/v1/people", headers={"accept": "text/csv"})
        names, row = export.content.decode().splitlines()
        assert "name" in names.split(",")
        assert not {"fullName", "locale"} & set(names.split(","))
        assert "Ada Lovelace" in row
        assert "sunset" in export.headers


async def test_operations_and_policies_of_each(app: Sternpost) -> None:
    async with Client(app) as client:
        key = (await client.post("/api/v1/people", json=NEW)).data["id"]
        assert (await client.post(f"/api/v1/people/{key}/retire")).status == 404
        assert (await client.post(f"/api/v2/people/{key}/retire")).data["state"] == "left"
        assert (await client.post(f"/api/v2/people/{key}/wake")).status == 404
        assert (await client.post(f"/api/v1/people/{key}/wake")).data["state"] == "active"
        batch = {"operations": [{"operation": "people.read", "id": key}]}
        assert (await client.post("/api/v1/$batch", json=batch)).data[0]["data"]["name"] == "Ada Lovelace"
        assert (await client.post("/api/v2/$batch", json=batch)).data[0]["data"]["fullName"] == "Ada Lovelace"
        assert (await client.delete(f"/api/v2/people/{key}")).status == 401
        assert (await client.delete(f"/api/v1/people/{key}")).status == 204


class Ticket(Resource, prefix="tic"):
    state: Literal["open", "held", "closed"] = field(default="open", write="never")

    read = Read(allow=public)
    create = Create(allow=public)
    hold = Transition("state", source="open", target="held", allow=public)
    close = Transition("state", source="open", target="closed", allow=public)


async def test_a_state_that_a_version_shows_as_one_that_would_do_is_told_as_another(
    make_settings: Callable[..., Settings],
) -> None:
    shown = Changed(Ticket, "state", was={"choices": ["open", "closed"]}, shown={"held": "open"})
    older = Version("v1", [shown, Added(Ticket, "hold")])
    tickets = Contract("tickets", resources=[Ticket], api_version="v2", older=[older])
    async with Client(Sternpost(tickets, settings=make_settings(), write_log=lambda line: None)) as client:
        key = (await client.post("/api/v2/tickets", json={})).data["id"]
        assert (await client.post(f"/api/v2/tickets/{key}/hold")).data["state"] == "held"
        for version, told in (("v1", "another"), ("v2", "held")):
            refused = await client.post(f"/api/{version}/tickets/{key}/close")
            assert (refused.status, refused.error["code"]) == (409, "STATE_CONFLICT")
            assert refused.error["message"] == f"The state of the ticket is {told}; this operation requires open"
            assert [detail["message"] for detail in refused.error["details"]] == [f"is {told}, must be open"]


class Member(Resource, prefix="mem"):
    address: str = field(unique=True)

    create = Create(allow=public)


async def test_a_value_that_is_taken_is_told_in_the_words_of_the_version(
    make_settings: Callable[..., Settings],
) -> None:
    older = Version("v1", [Renamed(Member, "address", was="mail")])
    members = Contract("members", resources=[Member], api_version="v2", older=[older])
    async with Client(Sternpost(members, settings=make_settings(), write_log=lambda line: None)) as client:
        for version, name in (("v1", "mail"), ("v2", "address")):
            await client.post(f"/api/{version}/members", json={name: "a"})
            taken = await client.post(f"/api/{version}/members", json={name: "a"})
            assert taken.error["details"] == [
                {"path": name, "code": "duplicate", "message": f"This {name} is already taken"}
            ]


def test_a_version_may_end_on_the_day_of_its_deprecation() -> None:
    """RFC 9745, 4: the sunset must not be before the deprecation."""
    day = date(2026, 10, 1)
    older = Version("v1", V1, deprecated=day, sunset=day)
    (plan,) = compile_contract(
        Contract("people", resources=[Person, Task], api_version="v2", older=[older]), services=SERVICES
    ).older
    assert (plan.plan.deprecated, plan.plan.sunset) == ("2026-10-01", "2026-10-01")


async def test_headers_of_a_deprecated_version(app: Sternpost) -> None:
    async with Client(app) as client:
        for path in ("/api/v1/people", "/api/v1/nothing", "/api/v1/people?x=1"):
            headers = (await client.get(path)).headers
            assert headers["deprecation"] == f"@{int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())}"
            assert headers["sunset"] == "Thu, 01 Apr 2027 00:00:00 GMT"
            assert headers["link"] == (
                '<https://example.com/v2>; rel="deprecation", <https://example.com/v2>; rel="sunset"'
            )
        headers = (await client.get("/api/v2/people")).headers
        assert not {"deprecation", "sunset", "link"} & set(headers)


class At:
    """A clock that stands still."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


@pytest.mark.parametrize("gone", [True, False])
async def test_after_its_sunset(gone: bool, make_settings: Callable[..., Settings], log_lines: LogLines) -> None:
    app = Sternpost(
        contract(gone_after_sunset=gone),
        services=SERVICES,
        settings=make_settings(),
        write_log=log_lines,
        clock=At(datetime(2027, 4, 1, tzinfo=UTC)),
    )
    async with Client(app) as client:
        answer = await client.get("/api/v1/people")
        assert answer.status == (410 if gone else 200)
        assert "sunset" in answer.headers
        if gone:
            assert answer.error["code"] == "GONE"
        batch = {"operations": [{"operation": "people.browse"}]}
        for path, sent in (("$batch", batch), ("$batch", {}), ("nowhere", {})):
            told = await client.post(f"/api/v1/{path}", json=sent)
            assert (told.status == 410) is gone, path
        for method, path in (("OPTIONS", "people"), ("PUT", "people"), ("TRACE", "people"), ("OPTIONS", "nowhere")):
            assert ((await client.request(method, f"/api/v1/{path}")).status == 410) is gone, (method, path)
        assert (await client.post("/api/v2/$batch", json=batch)).status == 200
        assert (await client.get("/api/v2/people")).status == 200
    warned = [line for line in log_lines.lines if "after its sunset" in line["message"]]
    assert len(warned) == (0 if gone else 1)


async def test_the_documentation_of_each(app: Sternpost) -> None:
    async with Client(app) as client:
        documents = {v: (await client.get(f"/api/{v}/openapi.json")).json() for v in ("v1", "v2")}
        for document in documents.values():
            validate(document)
        assert (await client.get("/openapi.json")).json() == documents["v2"]
        old, new = (documents[v]["components"]["schemas"]["Person"]["properties"] for v in ("v1", "v2"))
        assert "name" in old
        assert "fullName" not in old
        assert old["state"]["enum"] == ["active", "left"]
        assert new["state"]["enum"] == ["active", "away", "left"]
        assert documents["v1"]["paths"]["/api/v1/people"]["get"]["deprecated"] is True
        assert "deprecated" not in documents["v2"]["paths"]["/api/v2/people"]["get"]
        assert b'data-url="/api/v1/openapi.json"' in (await client.get("/docs/v1")).content
        assert b"/docs/v1" in (await client.get("/docs")).content


class Word(Resource, prefix="wrd"):
    label: str = field(max_length=20)
    language: str = field(default="en")

    browse = Browse(sort=["label"], allow=public)
    create = Create(allow=public)


async def test_three_versions(make_settings: Callable[..., Settings], log_lines: LogLines) -> None:
    older = [
        Version("v2", [Renamed(Word, "label", was="title"), Added(Word, "language")]),
        Version("v1", [Renamed(Word, "label", was="name")]),
    ]
    three = Contract("words", resources=[Word], api_version="v3", older=older)
    async with Client(Sternpost(three, settings=make_settings(), write_log=log_lines)) as client:
        for version, name in (("v1", "name"), ("v2", "title"), ("v3", "label")):
            assert (await client.post(f"/api/{version}/words", json={name: version})).status == 201
            rows = (await client.get(f"/api/{version}/words?sort={name}")).data
            assert rows[0][name] == "v1"
            assert ("language" in rows[0]) == (version == "v3")


def test_a_payload_is_not_part_of_it() -> None:
    class Input(Payload):
        count: int

    with pytest.raises(Exception, match="SP023"):
        Sternpost(Contract("words", resources=[Word], api_version="v2", older=[Version("v1", [Added(Input, "count")])]))


def test_a_sensitive_field_is_masked_under_every_name() -> None:
    class Caller(Resource, prefix="cal"):
        number: str = field(sensitive=True)

        browse = Browse(allow=public)

    older = [Version("v1", [Renamed(Caller, "number", was="phone")])]
    compiled = Sternpost(Contract("calls", resources=[Caller], api_version="v2", older=older)).compiled
    assert {"number", "phone"} <= sensitive_names(compiled.plan, compiled.older[0].plan)


class CardNumber(Payload):
    digits: str = field(sensitive=True)


class Purse(Payload):
    cards: list[CardNumber]


class Charge(Payload):
    pin_code: str = field(sensitive=True)


def test_what_is_sensitive_in_a_payload_is_masked_and_so_is_the_field_that_holds_it() -> None:
    class Owner(Resource, prefix="own"):
        purse: Purse
        spare: CardNumber | None

        browse = Browse(allow=public)
        charge = Custom(input=Charge, output=None, allow=public)

    @implements(Owner.charge)
    async def charge(ctx: Context, owner: Owner, given: Charge) -> None:
        ctx.log.info("Charged", digits=owner.purse.cards[0].digits, pin_code=given.pin_code)

    plan = Sternpost(Contract("purses", resources=[Owner]), services=[charge]).plan
    assert {"digits", "pin_code", "pinCode", "purse", "spare"} <= sensitive_names(plan)


class Step(Resource, prefix="stp"):
    recipe: One[Recipe]
    text: str
    minutes: int = field(default=0, ge=0)
    hint: str | None
    tool: str = field(default="none")


class Recipe(Resource, prefix="rcp"):
    name: str
    steps: Owned[Step] = many(max_length=5)

    read = Read(allow=public)
    create = Create(allow=public)
    replace = Replace(allow=public)
    update = Update(allow=public)


STEPS = [Added(Step, "minutes"), Added(Step, "hint"), Removed(Step, "tool")]


async def test_items_keep_what_a_version_does_not_know(make_settings: Callable[..., Settings]) -> None:
    recipes = Contract("recipes", resources=[Recipe, Step], api_version="v2", older=[Version("v1", STEPS)])
    async with Client(Sternpost(recipes, settings=make_settings())) as client:
        made = await client.post("/api/v1/recipes", json={"name": "Soup", "steps": [{"text": "Cut", "tool": "knife"}]})
        assert made.status == 201, made.json()
        old, new = f"/api/v1/recipes/{made.data['id']}", f"/api/v2/recipes/{made.data['id']}"

        more = [{"text": "Cut", "minutes": 5, "hint": "thin"}, {"text": "Boil", "minutes": 9}]
        assert (await client.put(new, json={"name": "Soup", "steps": more})).status == 200
        assert [step["tool"] for step in (await client.get(old)).data["steps"]] == ["knife", "none"]

        swapped = [{"text": "Boil"}, {"text": "Slice", "tool": "knife"}, {"text": "Eat"}]
        for ask in (client.put, client.patch):
            assert (await ask(old, json={"name": "Soup", "steps": swapped})).status == 200
            steps = (await client.get(new)).data["steps"]
            assert [(step["text"], step["minutes"], step["hint"]) for step in steps] == [
                ("Boil", 9, None),
                ("Slice", 5, "thin"),
                ("Eat", 0, None),
            ]


class Draft(Resource, prefix="drf", owner="author", soft_delete=True):
    """Seen by its author in v2, by everybody in v1."""

    author: str = field(default="ann")
    title: str = field(default="")

    read = Read(allow=this.is_owner)
    create = Create(allow=public)
    update = Update(allow=scope("w"))
    delete = Delete(allow=scope("w"))
    restore = Restore(allow=scope("w"))
    stamp = Custom(allow=scope("w"))


class Poster(Resource, prefix="pos", owner="author"):
    """Seen by everybody in v2, by its author in v1."""

    author: str = field(default="ann")
    title: str = field(default="")

    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=scope("w"))


class Wall(Resource, prefix="wal"):
    draft: One[Draft] | None = one(on_delete="set_null")
    poster: One[Poster] | None = one()

    read = Read(allow=public)
    create = Create(allow=public)


@implements(Draft.stamp)
async def stamp(context: Context, draft: Draft) -> None:
    """Does nothing."""


async def test_rows_are_seen_as_the_version_says(make_settings: Callable[..., Settings]) -> None:
    """Whether a row is there for a caller, in every answer, is what the version says that they call."""
    older = Version(
        "v1", [Changed(Draft, "read", was={"allow": public}), Changed(Poster, "read", was={"allow": this.is_owner})]
    )
    walls = Contract("walls", resources=[Draft, Poster, Wall], api_version="v2", older=[older])
    async with Client(Sternpost(walls, services=[stamp], settings=make_settings())) as client:
        may, other = client.token("bob", "w"), client.token("bob")
        draft = (await client.post("/api/v2/drafts", json={"title": "t"})).data["id"]
        poster = (await client.post("/api/v2/posters", json={"title": "t"})).data["id"]
        for version, sees_draft in (("v1", True), ("v2", False)):
            address = f"/api/{version}/drafts/{draft}"
            whole = {"id", "author", "title"} if sees_draft else {"id"}
            assert (await client.get(address, token=may)).status == (200 if sees_draft else 404)
            assert set((await client.patch(address, json={"title": "2"}, token=may)).data) == whole
            assert set((await client.post(f"{address}/stamp", token=may)).data) == whole
            for refused in (client.patch(address, json={}, token=other), client.delete(address, token=other)):
                assert (await refused).status == (403 if sees_draft else 404)
            assert (await client.delete(address, token=may)).status == 204
            assert set((await client.post(f"{address}/restore", token=may)).data) == whole
            linked = await client.post(f"/api/{version}/walls", json={"draftId": draft}, token=other)
            assert linked.status == (201 if sees_draft else 422)

            address, sees_poster = f"/api/{version}/posters/{poster}", not sees_draft
            whole = {"id", "author", "title"} if sees_poster else {"id"}
            assert (await client.get(address, token=may)).status == (200 if sees_poster else 404)
            assert set((await client.patch(address, json={"title": "2"}, token=may)).data) == whole
            assert (await client.patch(address, json={}, token=other)).status == (403 if sees_poster else 404)
            linked = await client.post(f"/api/{version}/walls", json={"posterId": poster}, token=other)
            assert linked.status == (201 if sees_poster else 422)


class Parcel(Resource, prefix="par"):
    code: str = field(default="1")
    size: int = field(default=0)

    browse = Browse(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    send = Custom(allow=public)


@implements(Parcel.send)
async def send(context: Context, parcel: Parcel) -> None:
    await context.data.table(Parcel).update(parcel.id, {"size": 9})


def measured(code: str) -> Any:
    """An older form that some codes do not have, or not as JSON."""
    return {"nan": float("nan"), "set": {1}}.get(code) or int(code)


@pytest.mark.parametrize("code", ["abc", "nan", "set"])
async def test_an_answer_that_has_no_older_form_is_known_before_the_commit(
    make_settings: Callable[..., Settings], log_lines: LogLines, code: str
) -> None:
    changes = [
        Changed(Parcel, "code", was={"type": "integer"}, up=lambda value: "abc" if value else "1", down=measured)
    ]
    parcels = Contract("parcels", resources=[Parcel], api_version="v2", older=[Version("v1", changes)])
    app = Sternpost(parcels, services=[send], settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        made = (await client.post("/api/v2/parcels", json={"code": code})).data
        address = f"/api/v1/parcels/{made['id']}"
        update = {"operation": "parcels.update", "id": made["id"], "body": {"size": 7}}
        for attempt in (
            client.patch(address, json={"size": 7}),
            client.post(f"{address}/send"),
            client.post("/api/v1/parcels", json={"code": 5}) if code == "abc" else client.get("/api/v1/parcels"),
            client.post("/api/v1/$batch", json={"operations": [update]}),
        ):
            assert (await attempt).status == 500
        assert (await client.get("/api/v2/parcels")).data == [made]
        assert (await client.post("/api/v1/parcels", json={"code": 0})).data["code"] == 1


def apart(text: str) -> int:
    if text == "0":  # the default
        return 0
    raise {"key": KeyError, "value": ValueError}.get(text, ZeroDivisionError)("told")


class Ware(Resource, prefix="war"):
    price: Decimal = field(default=Decimal(0), decimal_places=2, max_digits=8)
    weight: float = field(default=0.0)
    count: int = field(default=0)
    odd: int = field(default=0)

    create = Create(allow=public)
    update = Update(allow=public)


WAS_TEXT = {"type": "string", "max_length": 400}
TEXTS = [
    Changed(Ware, "price", was=WAS_TEXT, up=Decimal, down=str),
    Changed(Ware, "weight", was=WAS_TEXT, up=float, down=str),
    Changed(Ware, "count", was=WAS_TEXT, up=lambda text: int(float(text)), down=str),
    Changed(Ware, "odd", was=WAS_TEXT, up=apart, down=str),
]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ({"price": "cheap"}, "The value does not fit the field"),
        ({"price": ""}, "The value does not fit the field"),
        ({"price": "NaN"}, "The value does not fit the field"),
        ({"price": "sNaN"}, "The value does not fit the field"),
        ({"price": "Infinity"}, "The value does not fit the field"),
        ({"price": "1e999999"}, "The value does not fit the field"),
        ({"price": "1e-999999"}, "The value does not fit the field"),
        ({"price": "1.001"}, "The value does not fit the field"),
        ({"price": "9" * 300}, "The value does not fit the field"),
        ({"price": "0." + "9" * 300}, "The value does not fit the field"),
        ({"weight": "heavy"}, "could not convert string to float: 'heavy'"),
        ({"weight": "1e999"}, "The value does not fit the field"),
        ({"count": "1e999"}, "The value does not fit the field"),
        ({"count": "1e30"}, "The value does not fit the field"),
        ({"count": "nan"}, "cannot convert float NaN to integer"),
        ({"odd": "value"}, "told"),
        ({"odd": "zero"}, "The value does not fit the field"),
    ],
)
async def test_what_a_conversion_cannot_take_is_the_clients_mistake(
    make_settings: Callable[..., Settings], sent: dict[str, str], message: str
) -> None:
    wares = Contract("wares", resources=[Ware], api_version="v2", older=[Version("v1", TEXTS)])
    async with Client(Sternpost(wares, settings=make_settings())) as client:
        made = await client.post("/api/v1/wares", json={"price": "1.50", "weight": "1", "count": "2"})
        assert made.status == 201, made.content
        for answer in (
            await client.post("/api/v1/wares", json=sent),
            await client.patch(f"/api/v1/wares/{made.data['id']}", json=sent),
        ):
            assert answer.status == 400, answer.content
            problem = {"path": next(iter(sent)), "code": "value_error", "message": message}
            assert answer.error["details"] == [problem]
        assert (await client.post("/api/v1/wares", json={"odd": "key"})).status == 500


class Writer(Resource, prefix="wri"):
    posts: Many[Post]
    comments: Many[Remark]

    browse = Browse(allow=public)
    read = Read(allow=public)


class Remark(Resource, prefix="rem"):
    writer: One[Writer]

    browse = Browse(allow=public)
    read = Read(allow=public)


class Post(Resource, prefix="pos"):
    writer: One[Writer]
    comments: Many[Reply] = many(max_length=1)

    browse = Browse(allow=public)
    read = Read(allow=public)


class Reply(Resource, prefix="rep", plural="replies"):
    post: One[Post]

    browse = Browse(allow=public)
    read = Read(allow=public)


class Badge(Resource, prefix="bad"):
    code: str

    read = Read(allow=public)
    create = Create(allow=public)


async def test_a_number_of_an_older_version_has_the_bounds_of_every_number(
    make_settings: Callable[..., Settings],
) -> None:
    older = [Version("v1", [Changed(Badge, "code", was={"type": "integer"}, up=str, down=int)])]
    badges = Contract("badges", resources=[Badge], api_version="v2", older=older)
    async with Client(Sternpost(badges, settings=make_settings(), write_log=lambda line: None)) as client:
        for code in (-(2**63), 0, 2**63 - 1):
            created = await client.post("/api/v1/badges", json={"code": code})
            assert (created.status, created.data["code"]) == (201, code), created.content
            assert (await client.get(f"/api/v2/badges/{created.data['id']}")).data["code"] == str(code)
        for code in (-(2**63) - 1, 2**63):
            answer = await client.post(
                "/api/v1/badges", content=b'{"code": %d}' % code, headers={"content-type": "application/json"}
            )
            assert (answer.status, answer.error["details"][0]["path"]) == (400, "code")


class Article(Resource, prefix="art"):
    name: str

    read = Read(allow=public)
    create = Create(allow=public)


class Line(Resource, prefix="lin"):
    basket: One[Basket]
    article: One[Article]
    code: str = field(default="", max_length=3)


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Basket(Resource, prefix="bas"):
    name: str
    until: date
    price: Decimal = field(decimal_places=2)
    size: Size
    lines: Owned[Line] = many(max_length=5)

    read = Read(allow=public)
    create = Create(allow=public)


BASKETS = [
    Renamed(Line, "article_id", was="productId"),
    Renamed(Line, "code", was="sku"),
    Renamed(Basket, "lines", was="rows"),
    Added(Basket, "until", default=date(2030, 1, 2)),
    Added(Basket, "price", default=Decimal("1.50")),
    Added(Basket, "size", default=Size.LARGE),
]


async def test_items_and_defaults_of_every_kind_through_an_older_version(
    make_settings: Callable[..., Settings],
) -> None:
    older = [Version("v1", BASKETS)]
    baskets = Contract("baskets", resources=[Basket, Line, Article], api_version="v2", older=older)
    async with Client(Sternpost(baskets, settings=make_settings(), write_log=lambda line: None)) as client:
        article = (await client.post("/api/v2/articles", json={"name": "a"})).data["id"]
        nobody = "art_01980000000070008000000000000001"
        whole = {"until": "2026-01-01", "price": "2.00", "size": "small"}
        for version, rows, key, code, more in (
            ("v1", "rows", "productId", "sku", {}),
            ("v2", "lines", "articleId", "code", whole),
        ):
            body = {"name": "x", **more, rows: [{key: article}, {key: article, code: "long"}]}
            answer = await client.post(f"/api/{version}/baskets", json=body)
            assert (answer.status, [d["path"] for d in answer.error["details"]]) == (400, [f"{rows}.1.{code}"])
            body[rows] = [{key: article}, {key: nobody}]
            answer = await client.post(f"/api/{version}/baskets", json=body)
            assert answer.error["code"] == "REFERENCE_NOT_FOUND"
            assert [d["path"] for d in answer.error["details"]] == [f"{rows}.1.{key}"]
        created = await client.post("/api/v1/baskets", json={"name": "x", "rows": [{"productId": article, "sku": "s"}]})
        assert created.status == 201, created.content
        assert set(created.data) == {"id", "name", "rows"}
        found = (await client.get(f"/api/v2/baskets/{created.data['id']}")).data
        assert (found["until"], found["price"], found["size"]) == ("2030-01-02", "1.50", "large")
        assert [(line["articleId"], line["code"]) for line in found["lines"]] == [(article, "s")]


async def test_what_was_cut_is_named_by_its_path(make_settings: Callable[..., Settings]) -> None:
    changes = [Renamed(Writer, "comments", was="remarks"), Renamed(Post, "comments", was="replies")]
    older = [Version("v1", [*changes, Renamed(Writer, "posts", was="texts")])]
    posts = Contract("posts", resources=[Writer, Remark, Post, Reply], api_version="v2", older=older)
    async with Client(Sternpost(posts, settings=make_settings())) as client:
        async with client.app.data() as db:
            writer = await db.table(Writer).create({"posts": {"create": [{}, {}]}, "comments": {"create": [{}, {}]}})
            for post in await db.table(Post).find():
                await db.table(Reply).create_many([{"post_id": post.id}] * 2)
        for version, include, cut in (
            ("v2", "posts.comments,comments", "posts.comments"),
            ("v1", "texts.replies,remarks", "texts.replies"),
        ):
            for address in (f"/api/{version}/writers/{writer.id}", f"/api/{version}/writers"):
                answer = await client.get(f"{address}?include={include}")
                assert answer.status == 200, answer.content
                assert answer.json()["meta"]["truncated"] == [cut]

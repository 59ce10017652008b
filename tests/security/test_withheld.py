"""What a caller may not read they may not write either, unless it is declared; and no answer tells more than they may read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest

from sternpost import (
    Added,
    Browse,
    Change,
    Changed,
    Contract,
    Create,
    Custom,
    Delete,
    Many,
    One,
    Owned,
    Read,
    Renamed,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Transition,
    Update,
    Version,
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
from sternpost.compile.compiler import compile_contract
from sternpost.errors import WriteConflict
from sternpost.plan.scopes import known_scopes
from sternpost.testing import Client, Response

V1 = "/api/v1"


class Boss(Resource, prefix="bos", owner="id"):
    name: str = field(default="")

    browse = Browse(allow=public)
    create = Create(allow=public)


class Worker(Resource, prefix="wor"):
    name: str
    salary: int = field(read="hr")
    bonus: int = field(default=0, read="hr")
    rating: int = field(default=3, read="hr", write="always")
    grade: str = field(default="a", write=scope("grades"))
    boss: One[Boss] | None = one(default=caller, read="hr")
    pay: Owned[Payment]
    tags: Many[Tag] = many(through="worker_tags", write=scope("tags"))

    read = Read(allow=authenticated)
    create = Create(allow=authenticated)
    update = Update(allow=authenticated)
    replace = Replace(allow=authenticated)


class Payment(Resource, prefix="pay"):
    worker: One[Worker]
    month: str
    amount: int = field(read="hr")
    note: str = field(default="none", write=scope("notes"))
    account: str = field(default="", read="hr", write="always")


class Tag(Resource, prefix="tag"):
    workers: Many[Worker] = many(through="worker_tags")

    browse = Browse(allow=public)
    create = Create(allow=public)


class Letter(Resource, prefix="let", owner="to"):
    """Its writers may change every letter, and read their own."""

    to: str
    text: str = field(default="")
    state: str = field(default="new", write="never")
    shown: bool = field(default=False)

    read = Read(allow=this.is_owner | this.shown.eq(True))
    create = Create(allow=authenticated)
    update = Update(allow=scope("write"))
    replace = Replace(allow=scope("write"))
    delete = Delete(allow=scope("write"))
    stamp = Custom(allow=scope("write"), on="item")


PEOPLE = Contract("people", resources=[Boss, Worker, Payment, Tag, Letter])


@implements(Letter.stamp)
async def stamp(ctx: Any, letter: Letter) -> None:
    await ctx.repository(Letter).update(letter.id, {"state": "stamped"})


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = Sternpost(PEOPLE, services=[stamp], settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


@pytest.fixture
def tokens(client: Client) -> dict[str, str]:
    return {
        "plain": client.token("ann"),
        "hr": client.token("ann", "hr"),
        "all": client.token("ann", "hr", "grades", "notes", "tags"),
    }


async def made(client: Client, token: str, **more: Any) -> dict[str, Any]:
    boss = (await client.post(f"{V1}/bosses", json={})).data["id"]
    body = {"name": "Bo", "salary": 10, "bonus": 2, "bossId": boss, "pay": [], **more}
    answer = await client.post(f"{V1}/workers", json=body, token=token)
    assert answer.status == 201, answer.content
    return answer.data


def refused(answer: Response) -> list[str]:
    """The paths of what was refused for want of a scope."""
    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (403, "FORBIDDEN"), answer.content
    assert {detail["code"] for detail in error["details"]} == {"scope_required"}
    return [detail["path"] for detail in error["details"]]


@pytest.mark.parametrize("how", ["POST", "PUT", "PATCH", "batch"])
async def test_what_cannot_be_read_cannot_be_written(client: Client, tokens: dict[str, str], how: str) -> None:
    worker = await made(client, tokens["all"])
    body = {"name": "X", "salary": 1, "grade": "b", "tagIds": [], "pay": [{"month": "1", "amount": 1, "note": "n"}]}
    address = f"{V1}/workers/{worker['id']}"
    if how == "POST":
        answer = await client.post(f"{V1}/workers", json=body, token=tokens["plain"])
    elif how == "PUT":
        answer = await client.put(address, json=body, token=tokens["plain"])
    elif how == "PATCH":
        answer = await client.patch(address, json=body, token=tokens["plain"])
    else:
        steps = [{"operation": "workers.update", "id": worker["id"], "body": body}]
        answer = await client.post(f"{V1}/$batch", json={"operations": steps}, token=tokens["plain"])
    before = "operations.0." if how == "batch" else ""
    names = ["salary", "grade", "pay.0.amount", "pay.0.note", "tagIds"]
    assert sorted(refused(answer)) == sorted(before + name for name in names)
    kept = (await client.get(address, token=tokens["all"])).data
    assert (kept["name"], kept["salary"], kept["grade"], kept["pay"]) == ("Bo", 10, "a", [])


async def test_a_declaration_opens_it(client: Client, tokens: dict[str, str]) -> None:
    worker = await made(client, tokens["all"])
    address = f"{V1}/workers/{worker['id']}"
    assert "rating" not in (await client.patch(address, json={"rating": 5}, token=tokens["plain"])).data
    assert (await client.get(address, token=tokens["hr"])).data["rating"] == 5
    assert refused(await client.patch(address, json={"grade": "b"}, token=tokens["hr"])) == ["grade"]
    assert (await client.patch(address, json={"grade": "b"}, token=tokens["all"])).data["grade"] == "b"


async def test_a_put_keeps_what_the_caller_cannot_see_or_set(client: Client, tokens: dict[str, str]) -> None:
    worker = await made(client, tokens["all"], grade="c", rating=9)
    address = f"{V1}/workers/{worker['id']}"
    assert (await client.put(address, json={"name": "New", "pay": []}, token=tokens["plain"])).status == 200
    kept = (await client.get(address, token=tokens["all"])).data
    assert kept == {**worker, "name": "New"}
    # who sees a field has to send it, and resets what has a default
    missing = await client.put(address, json={"name": "New", "pay": []}, token=tokens["hr"])
    assert (missing.status, missing.error["details"][0]["path"]) == (400, "salary")
    whole = {"name": "New", "salary": 11, "bossId": worker["bossId"], "pay": []}
    assert (await client.put(address, json=whole, token=tokens["hr"])).status == 200
    kept = (await client.get(address, token=tokens["all"])).data
    assert (kept["salary"], kept["bonus"], kept["rating"], kept["grade"]) == (11, 0, 3, "c")


@pytest.mark.parametrize("how", ["PUT", "PATCH"])
async def test_items_keep_what_the_caller_cannot_see(client: Client, tokens: dict[str, str], how: str) -> None:
    items = [{"month": str(number), "amount": number * 10, "note": f"n{number}"} for number in range(1, 4)]
    worker = await made(client, tokens["all"], pay=items)
    address = f"{V1}/workers/{worker['id']}"
    send = client.put if how == "PUT" else client.patch
    # the second is gone, and the third has another month
    answer = await send(address, json={"name": "Bo", "pay": [{"month": "1"}, {"month": "4"}]}, token=tokens["plain"])
    assert answer.status == 200, answer.content
    assert [set(item) & {"amount"} for item in answer.data["pay"]] == [set(), set()]
    kept = (await client.get(address, token=tokens["all"])).data["pay"]
    assert [(item["month"], item["amount"], item["note"]) for item in kept] == [("1", 10, "n1"), ("4", 20, "n2")]
    # the same in another order: each keeps its own
    swapped = [{"month": "4"}, {"month": "1"}]
    assert (await send(address, json={"name": "Bo", "pay": swapped}, token=tokens["plain"])).status == 200
    kept = (await client.get(address, token=tokens["all"])).data["pay"]
    assert [(item["month"], item["amount"]) for item in kept] == [("4", 20), ("1", 10)]
    # several that differ from all: each takes what one of those has that are there, in order
    others = [{"month": "6"}, {"month": "7"}]
    assert (await send(address, json={"name": "Bo", "pay": others}, token=tokens["plain"])).status == 200
    kept = (await client.get(address, token=tokens["all"])).data["pay"]
    assert [(item["month"], item["amount"]) for item in kept] == [("6", 20), ("7", 10)]
    # a new one needs an amount, which this caller cannot give
    more = [{"month": "6"}, {"month": "7"}, {"month": "5"}]
    assert refused(await send(address, json={"name": "Bo", "pay": more}, token=tokens["plain"])) == ["pay.2.amount"]


async def test_a_new_item_needs_what_the_caller_cannot_give(client: Client, tokens: dict[str, str]) -> None:
    body = {"name": "A", "salary": 1, "rating": 1, "pay": [{"month": "1"}]}
    assert refused(await client.post(f"{V1}/workers", json=body, token=tokens["plain"]))[0] == "salary"
    missing = await client.post(f"{V1}/workers", json=body, token=tokens["hr"])
    assert (missing.status, [detail["path"] for detail in missing.error["details"]]) == (400, ["pay.0.amount"])


# -- operations without read permission


async def letter(client: Client) -> str:
    answer = await client.post(f"{V1}/letters", json={"to": "ann", "text": "secret"}, token=client.token("cy"))
    assert answer.status == 201
    return answer.data["id"]


@pytest.mark.parametrize("how", ["PATCH", "PUT", "stamp", "batch"])
async def test_who_may_change_but_not_read_gets_the_id(client: Client, how: str) -> None:
    key = await letter(client)
    address, writer = f"{V1}/letters/{key}", client.token("cy", "write")

    async def send(token: str, body: dict[str, Any]) -> Any:
        match how:
            case "PATCH":
                answer = await client.patch(address, json=body, token=token)
            case "PUT":
                answer = await client.put(address, json={"to": "ann", "text": "secret", **body}, token=token)
            case "stamp":
                answer = await client.post(f"{address}/stamp", token=token)
            case _:
                steps = [{"operation": "letters.update", "id": key, "body": body}]
                answer = await client.post(f"{V1}/$batch", json={"operations": steps}, token=token)
                assert answer.status == 200, answer.content
                return answer.data[0]["data"]
        assert answer.status == 200, answer.content
        return answer.data

    assert await send(writer, {}) == {"id": key}
    assert (await send(client.token("ann", "write"), {}))["text"] == "secret"
    if how != "stamp":  # what can be read by now is told, and so is what could be read before
        assert (await send(writer, {"shown": True}))["text"] == "secret"
        assert (await send(writer, {"shown": False}))["text"] == "secret"
        assert await send(writer, {}) == {"id": key}


def test_a_pattern_of_scopes_stands_for_those_of_writing_too() -> None:
    assert {"hr", "grades", "notes", "tags"} <= known_scopes(compile_contract(PEOPLE, services=[stamp]).plan)


class Ticket(Resource, prefix="tic"):
    state: Literal["draft", "paid", "flagged"] = field(default="draft", read="hr", write="never")

    read = Read(allow=public)
    create = Create(allow=public)
    flag = Transition(field="state", source="draft", target="flagged", allow=scope("hr"))
    pay = Transition(field="state", source="draft", target="paid", allow=public)


async def test_a_conflict_does_not_tell_a_state_that_may_not_be_read(make_settings: Callable[..., Settings]) -> None:
    app = Sternpost(Contract("tickets", resources=[Ticket]), settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        path = f"{V1}/tickets/{(await client.post(f'{V1}/tickets', json={})).data['id']}"
        insider = client.token("someone", "hr")
        assert (await client.post(f"{path}/flag", token=insider)).status == 200
        refused = await client.post(f"{path}/pay")
        assert (refused.status, refused.error["code"]) == (409, "STATE_CONFLICT")
        assert "flagged" not in refused.content.decode()
        assert "flagged" in (await client.post(f"{path}/pay", token=insider)).content.decode()


class Parcel(Resource, prefix="par", owner="sender"):
    sender: str
    state: Literal["draft", "packed", "sent", "lost"] = field(default="draft", write="never")

    read = Read(allow=this.is_owner)
    create = Create(allow=public)
    send = Transition(field="state", source="packed", target="sent", allow=public)


async def test_a_conflict_does_not_tell_the_state_of_a_row_that_may_not_be_read(
    make_settings: Callable[..., Settings],
) -> None:
    """Nor does it say what it tells in the words of another version."""
    older = [
        Renamed(Parcel, "state", was="status"),
        Changed(Parcel, "state", was={"choices": ["draft", "packed", "sent"]}, shown={"lost": "sent"}),
    ]
    versions = [Version("v2", older), Version("v1", [Added(Parcel, "state")])]
    contract = Contract("parcels", resources=[Parcel], api_version="v3", older=versions)
    async with Client(Sternpost(contract, settings=make_settings(), write_log=lambda line: None)) as client:
        async with client.app.data() as db:
            parcel = await db.table(Parcel).create({"sender": "ann", "state": "lost"})
        told: dict[tuple[str, str], tuple[str, str, str]] = {}
        for version in ("v1", "v2", "v3"):
            for caller in ("ann", "bob"):
                address = f"/api/{version}/parcels/{parcel.id}/send"
                refused = await client.post(address, token=client.token(caller))
                assert (refused.status, refused.error["code"]) == (409, "STATE_CONFLICT")
                (detail,) = refused.error["details"]
                told[version, caller] = (refused.error["message"], detail["path"], detail["message"])
    required = "this operation requires"
    nothing = ("The parcel is not in a state that this operation requires", "", "The row is in another state")
    assert told == {
        ("v3", "ann"): (f"The state of the parcel is lost; {required} packed", "state", "is lost, must be packed"),
        ("v3", "bob"): (
            f"The state of the parcel is another; {required} packed",
            "state",
            "is another, must be packed",
        ),
        ("v2", "ann"): (f"The status of the parcel is sent; {required} packed", "status", "is sent, must be packed"),
        ("v2", "bob"): (
            f"The status of the parcel is another; {required} packed",
            "status",
            "is another, must be packed",
        ),
        ("v1", "ann"): nothing,
        ("v1", "bob"): nothing,
    }


class Turn(Resource, prefix="trn"):
    rota: One[Rota]
    day: str
    amount: int = field(default=0, read="hr")


class Rota(Resource, prefix="rot"):
    turns: Owned[Turn]

    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


failures: list[int] = []


@implements(Rota.update, retry_safe=True)
async def update_rota(ctx: Any, change: Change[Rota]) -> Rota:
    """Fails once, as the database does where another transaction was the first."""
    made = await change.apply()
    failures.append(1)
    if len(failures) == 1:
        raise WriteConflict
    return made


async def test_a_second_try_keeps_what_is_there_by_then(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    failures.clear()
    contract = Contract("rotas", resources=[Rota, Turn])
    app = Sternpost(contract, services=[update_rota], settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client, app.data() as db:

        class Between:
            async def wait(self, number: int) -> None:
                assert await db.execute("update turns set amount = 99") == 1

        monkeypatch.setattr(app.running.runtime, "backoff", Between())
        hr = client.token("ann", "hr")
        made = await client.post(f"{V1}/rotas", json={"turns": [{"day": "mon", "amount": 10}]}, token=hr)
        address = f"{V1}/rotas/{made.data['id']}"
        changed = await client.patch(address, json={"turns": [{"day": "tue"}]})
        assert (changed.status, len(failures)) == (200, 2), changed.content
        (turn,) = (await client.get(address, token=hr)).data["turns"]
        assert (turn["day"], turn["amount"]) == ("tue", 99)


async def test_a_put_keeps_a_list_that_the_caller_may_not_send(client: Client, tokens: dict[str, str]) -> None:
    tag = (await client.post(f"{V1}/tags", json={})).data["id"]
    worker = await made(client, tokens["all"], tagIds=[tag])
    address = f"{V1}/workers/{worker['id']}"
    answer = await client.put(address, json={"name": "Bo", "pay": []}, token=tokens["plain"])
    assert answer.status == 200, answer.content
    assert [row["id"] for row in (await client.get(f"{V1}/workers/{worker['id']}/tags", token=tokens["all"])).data] == [
        tag
    ]
    body = {"name": "Bo", "salary": 1, "pay": []}
    assert (await client.put(address, json=body, token=tokens["all"])).status == 200
    assert (await client.get(f"{V1}/workers/{worker['id']}/tags", token=tokens["all"])).data == []


@pytest.mark.parametrize("how", ["PUT", "PATCH"])
async def test_a_guess_of_what_cannot_be_seen_chooses_no_item(client: Client, tokens: dict[str, str], how: str) -> None:
    """An item stands for one that looks the same to the caller, whatever they send of what they may set and not see."""
    items = [{"month": "1", "amount": number * 10, "account": account} for number, account in ((1, "a"), (2, "b"))]
    for account in ("a", "b", "c"):
        worker = await made(client, tokens["all"], pay=items)
        address = f"{V1}/workers/{worker['id']}"
        sent = {"name": "Bo", "pay": [{"month": "1", "account": account}]}
        answer = await client.request(how, address, json=sent, token=tokens["plain"])
        assert (answer.status, set(answer.data["pay"][0]) & {"amount", "account"}) == (200, set())
        kept = (await client.get(address, token=tokens["all"])).data["pay"]
        assert [(item["amount"], item["account"]) for item in kept] == [(10, account)]

"""Who is related to whom is told to those who may know it, and nobody refers to what they may not see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sternpost import (
    Browse,
    Change,
    Context,
    Contract,
    Create,
    Many,
    One,
    Owned,
    Read,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Update,
    authenticated,
    caller,
    computed,
    field,
    implements,
    many,
    one,
    public,
    scope,
    sum_of,
    this,
)
from sternpost.testing import Client, Response

V1 = "/api/v1"


class User(Resource, prefix="usr", owner="id"):
    name: str
    manager: One[User] | None = one(read="hr", filter=True)
    reports: Many[User] = many(by="manager")

    browse = Browse(allow=authenticated)
    read = Read(allow=authenticated)
    create = Create(allow=public)


class Team(Resource, prefix="tea", owner="lead_id"):
    lead: One[User] = one(default=caller)
    docs: Many[Doc] = many(by="team")

    read = Read(allow=this.is_owner)
    create = Create(allow=authenticated)


class Label(Resource, prefix="lab", owner="of_id"):
    of: One[User] = one(default=caller)
    docs: Many[Doc] = many(through="doc_labels")

    browse = Browse(allow=this.is_owner)
    create = Create(allow=authenticated)


class Vault(Resource, prefix="vlt"):
    """Seen by those with a scope; whoever has none sees no row, whatever it is."""

    name: str = field(default="")

    read = Read(allow=scope("vaults"))
    create = Create(allow=public)


class Seal(Resource, prefix="sea"):
    """Nobody can read one."""

    name: str = field(default="")

    create = Create(allow=public)


class Doc(Resource, prefix="doc"):
    team: One[Team]
    vault: One[Vault] | None
    seal: One[Seal] | None
    seen_by: One[Team] | None = one(link=public)
    labels: Many[Label] = many(through="doc_labels")
    lines: Owned[Line]
    weight: int = computed(sum_of("lines", "weight"))
    state: str = field(default="open")

    read = Read(allow=authenticated)
    create = Create(allow=authenticated)
    update = Update(allow=(this.team.is_owner & this.weight.lt(10)) | scope("docs:any"))
    replace = Replace(allow=(this.team.is_owner & this.state.eq("open")) | scope("docs:any"))


class Line(Resource, prefix="lin"):
    doc: One[Doc]
    weight: int
    about: One[Team] | None


class Memo(Resource, prefix="mem", owner="writer"):
    """Its update is an author's own function."""

    writer: str
    text: str = field(default="")

    read = Read(allow=authenticated)
    create = Create(allow=authenticated)
    update = Update(allow=this.is_owner)


@implements(Memo.update)
async def update_memo(ctx: Context, change: Change[Memo]) -> Memo:
    if change.get("text") == "give away":
        change["writer"] = "somebody else"
    return await change.apply()


CONTRACT = Contract("firm", resources=[User, Team, Label, Vault, Seal, Doc, Line, Memo])


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = Sternpost(CONTRACT, services=[update_memo], settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


async def made(client: Client, path: str, token: str | None = None, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"{V1}/{path}", json=body, token=token)
    assert answer.status == 201, answer.content
    return answer.data


class People:
    """Two people with a team, a label and a document each."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.ids: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.teams: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self.docs: dict[str, str] = {}

    async def add(self, name: str) -> None:
        self.ids[name] = (await made(self.client, "users", name=name))["id"]
        self.tokens[name] = token = self.client.token(self.ids[name])
        self.teams[name] = (await made(self.client, "teams", token))["id"]
        self.labels[name] = (await made(self.client, "labels", token))["id"]
        self.docs[name] = (await made(self.client, "docs", token, teamId=self.teams[name], lines=[]))["id"]


@pytest.fixture
async def people(client: Client) -> People:
    found = People(client)
    await found.add("ada")
    await found.add("bob")
    return found


def code(answer: Response) -> tuple[int, str, list[str]]:
    """Status, code and the paths of the details."""
    error = answer.json()["error"]
    return answer.status, error["code"], [detail["path"] for detail in error["details"]]


# -- a read scope of a reference


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("users/{bob}?fields=managerId", 400),
        ("users/{bob}?include=manager", 400),
        ("users/{bob}?fields=manager", 400),
        ("users/{bob}?fields=manager.name", 400),
        ("users?include=manager", 400),
        ("users?managerId={ada}", 400),
        ("users?managerId[isNull]=false", 400),
        ("users/{ada}?include=reports", 400),
        ("users/{ada}?fields=reports.name", 400),
        ("users?include=reports&reports.limit=1", 400),
        ("users?reports.limit=1", 400),
        ("users/{ada}/reports", 403),
        ("users/{nobody}/reports", 403),
        ("users/{ada}/reports?include=manager", 400),
        ("teams/{team}?include=lead.manager", 400),
        ("teams/{team}?include=lead.reports", 400),
    ],
)
async def test_a_hidden_reference_is_told_by_no_relation(people: People, address: str, status: int) -> None:
    client, ada = people.client, people.ids["ada"]
    bob = (await made(client, "users", client.token("root", "hr"), name="Bob", managerId=ada))["id"]
    path = f"{V1}/" + address.format(ada=ada, bob=bob, team=people.teams["ada"], nobody="usr_" + "0" * 32)
    refused = await client.get(path, token=people.tokens["ada"])
    assert refused.status == status, refused.content
    assert "manager" not in refused.json()["error"]["message"]
    for detail in refused.json()["error"]["details"]:
        assert "allowed are" not in detail["message"] or "managerId" not in detail["message"].partition("allowed")[2]
    token = client.token(ada, "hr")
    allowed = await client.get(path, token=token)
    assert allowed.status == (404 if "nobody" in address else 200), allowed.content


async def test_who_may_know_it_is_told(people: People) -> None:
    client, ada = people.client, people.ids["ada"]
    bob = (await made(client, "users", client.token("root", "hr"), name="Bob", managerId=ada))["id"]
    token = client.token(ada, "hr")
    assert (await client.get(f"{V1}/users/{bob}?include=manager", token=token)).data["manager"]["name"] == "ada"
    assert [row["id"] for row in (await client.get(f"{V1}/users/{ada}/reports", token=token)).data] == [bob]
    assert (await client.get(f"{V1}/users/{ada}/reports")).status == 401


# -- the row after a change


@pytest.mark.parametrize("how", ["PATCH", "PUT", "batch"])
async def test_nobody_changes_a_row_into_what_is_not_theirs(people: People, how: str) -> None:
    client, token, doc = people.client, people.tokens["ada"], people.docs["ada"]
    assert (await client.patch(f"{V1}/docs/{doc}", json={"lines": []}, token=token)).status == 200
    heavy = {"lines": [{"weight": 6}, {"weight": 6}]}
    if how == "PATCH":
        answer = await client.patch(f"{V1}/docs/{doc}", json=heavy, token=token)
    elif how == "PUT":
        answer = await client.put(
            f"{V1}/docs/{doc}", json={"teamId": people.teams["ada"], "state": "shut", "lines": []}, token=token
        )
    else:
        steps = [{"operation": "docs.update", "id": doc, "body": heavy}]
        answer = await client.post(f"{V1}/$batch", json={"operations": steps}, token=token)
    assert answer.status == 403, answer.content
    kept = (await client.get(f"{V1}/docs/{doc}", token=token)).data
    assert (kept["weight"], kept["state"], kept["lines"]) == (0, "open", [])


@pytest.mark.parametrize("how", ["PATCH", "PUT"])
async def test_a_row_goes_to_a_team_of_ones_own_only(people: People, how: str) -> None:
    client, ada, token = people.client, people.teams["ada"], people.tokens["ada"]
    second = await made(client, "teams", token)
    doc = (await made(client, "docs", token, teamId=ada, lines=[]))["id"]
    body = {"teamId": second["id"], "lines": [], "state": "open"}
    send = client.patch if how == "PATCH" else client.put
    assert (await send(f"{V1}/docs/{doc}", json=body, token=token)).status == 200
    hidden = {**body, "teamId": people.teams["bob"]}
    assert code(await send(f"{V1}/docs/{doc}", json=hidden, token=token)) == (422, "REFERENCE_NOT_FOUND", ["teamId"])


async def test_what_a_function_changes_is_checked_too(people: People) -> None:
    client, token = people.client, people.tokens["ada"]
    memo = (await made(client, "memos", token, writer=people.ids["ada"]))["id"]
    assert (await client.patch(f"{V1}/memos/{memo}", json={"text": "kept"}, token=token)).status == 200
    assert (await client.patch(f"{V1}/memos/{memo}", json={"text": "give away"}, token=token)).status == 403
    assert (await client.patch(f"{V1}/memos/{memo}", json={"writer": "bob"}, token=token)).status == 403
    assert (await client.get(f"{V1}/memos/{memo}", token=token)).data["text"] == "kept"


# -- references to rows that cannot be seen


async def test_a_row_that_cannot_be_seen_is_refused_as_one_that_is_not_there(people: People) -> None:
    client, token, doc = people.client, people.tokens["ada"], people.docs["ada"]
    missing = {"team": "tea_" + "0" * 32, "label": "lab_" + "0" * 32}
    hidden = {"team": people.teams["bob"], "label": people.labels["bob"]}
    mine = {"team": people.teams["ada"], "label": people.labels["ada"]}

    async def answers(ids: dict[str, str]) -> list[tuple[int, str, list[str]]]:
        own = {"teamId": mine["team"], "lines": []}
        bodies: list[dict[str, Any]] = [
            {**own, "teamId": ids["team"]},
            {**own, "labelIds": [mine["label"], ids["label"]]},
            {**own, "lines": [{"weight": 1}, {"weight": 1, "aboutId": ids["team"]}]},
        ]
        found: list[Response] = []
        for body in bodies:
            found.append(await client.post(f"{V1}/docs", json=body, token=token))
            found.append(await client.put(f"{V1}/docs/{doc}", json=body, token=token))
            found.append(await client.patch(f"{V1}/docs/{doc}", json=body, token=token))
            steps = [{"operation": "docs.create", "body": body}]
            found.append(await client.post(f"{V1}/$batch", json={"operations": steps}, token=token))
        return [code(answer) for answer in found]

    told = await answers(hidden)
    assert told == await answers(missing)
    paths = [paths for _, _, paths in told]
    assert paths[::4] == [["teamId"], ["labelIds.1"], ["lines.1.aboutId"]]
    assert {(status, error) for status, error, _ in told} == {(422, "REFERENCE_NOT_FOUND")}


async def test_what_a_client_was_given_can_be_sent_back(people: People) -> None:
    client, doc = people.client, people.docs["ada"]
    whole = {
        "teamId": people.teams["ada"],
        "seenById": None,
        "state": "open",
        "lines": [{"weight": 1, "aboutId": people.teams["ada"]}],
    }
    assert (await client.put(f"{V1}/docs/{doc}", json=whole, token=people.tokens["ada"])).status == 200
    other = client.token(people.ids["bob"], "docs:any")  # may change every document, and sees Bob's team alone
    again = await client.put(f"{V1}/docs/{doc}", json=whole, token=other)
    assert again.status == 200, again.content
    new = {**whole, "lines": [{"weight": 1}], "teamId": people.teams["bob"]}
    assert (await client.put(f"{V1}/docs/{doc}", json=new, token=other)).status == 200
    assert code(await client.put(f"{V1}/docs/{doc}", json=whole, token=other))[0] == 422


@pytest.mark.parametrize(("path", "name", "prefix"), [("vaults", "vaultId", "vlt"), ("seals", "sealId", "sea")])
async def test_nobody_refers_to_a_row_of_which_they_can_see_none(
    people: People, path: str, name: str, prefix: str
) -> None:
    client, token, doc = people.client, people.tokens["ada"], people.docs["ada"]
    body = {"teamId": people.teams["ada"], "lines": [], "state": "open"}
    there, missing = (await made(client, path))["id"], f"{prefix}_" + "0" * 32
    for digits in (there, missing):
        sent = {**body, name: digits}
        assert code(await client.post(f"{V1}/docs", json=sent, token=token)) == (422, "REFERENCE_NOT_FOUND", [name])
        for method in ("PUT", "PATCH"):
            answer = await client.request(method, f"{V1}/docs/{doc}", json=sent, token=token)
            assert code(answer) == (422, "REFERENCE_NOT_FOUND", [name]), method
    scoped = await client.post(
        f"{V1}/docs", json={**body, name: there}, token=client.token(people.ids["ada"], "vaults")
    )
    assert scoped.status == (201 if path == "vaults" else 422)


async def test_a_caller_refers_to_their_own_row_as_anybody_else_where_they_are_not_the_default(people: People) -> None:
    client, doc = people.client, people.docs["ada"]
    vault = (await made(client, "vaults"))["id"]
    sent = {"vaultId": vault}
    answer = await client.patch(f"{V1}/docs/{doc}", json=sent, token=client.token(vault, "docs:any"))
    assert code(answer) == (422, "REFERENCE_NOT_FOUND", ["vaultId"])
    scoped = await client.patch(f"{V1}/docs/{doc}", json=sent, token=client.token(vault, "docs:any", "vaults"))
    assert scoped.status == 200, scoped.content


async def test_a_declaration_opens_it(people: People) -> None:
    client, token = people.client, people.tokens["ada"]
    body = {"teamId": people.teams["ada"], "seenById": people.teams["bob"], "lines": []}
    assert (await made(client, "docs", token, **body))["seenById"] == people.teams["bob"]
    missing = {**body, "seenById": "tea_" + "0" * 32}
    answer = await client.post(f"{V1}/docs", json=missing, token=token)
    assert code(answer) == (422, "REFERENCE_NOT_FOUND", ["seenById"])


async def test_the_data_client_asks_no_policy(people: People) -> None:
    async with people.client.app.data() as db:
        doc = await db.table(Doc).create({"team_id": people.teams["bob"], "state": "open"})
        await db.table(Doc).update(doc.id, {"team_id": people.teams["ada"], "labels": {"set": [people.labels["bob"]]}})
        assert (await db.table(Doc).get(doc.id)).team_id == people.teams["ada"]


class Head(Resource, prefix="hea"):
    name: str = field(default="")

    create = Create(allow=public)


class Squad(Resource, prefix="squ", owner="head_id"):
    head: One[Head] = one(link=public)
    members: Many[Member] = many(through="squad_members", link=public)

    read = Read(allow=this.is_owner | scope("all"))
    create = Create(allow=public)


class Member(Resource, prefix="mem"):
    squads: Many[Squad] = many(through="squad_members")

    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    replace = Replace(allow=public)


@pytest.mark.parametrize("how", ["PUT", "PATCH", "batch"])
async def test_links_with_hidden_rows_stay(make_settings: Callable[..., Settings], how: str) -> None:
    """Who cannot see them could not send them back."""
    app = Sternpost(Contract("squads", resources=[Head, Squad, Member]), settings=make_settings())
    async with Client(app) as client:
        heads = [(await client.post("/api/v1/heads", json={})).data["id"] for _ in range(2)]
        bob, everyone = client.token(heads[1]), client.token("x", "all")

        async def made(head: str) -> str:
            return (await client.post("/api/v1/squads", json={"headId": head}, token=everyone)).data["id"]

        hidden, own, other = await made(heads[0]), await made(heads[1]), await made(heads[1])
        ids = {"squadIds": [hidden, own]}
        member = (await client.post("/api/v1/members", json=ids, token=everyone)).data["id"]
        address = f"/api/v1/members/{member}"

        async def send(squads: list[str], token: str) -> int:
            if how == "batch":
                steps = [{"operation": "members.update", "id": member, "body": {"squadIds": squads}}]
                return (await client.post("/api/v1/$batch", json={"operations": steps}, token=token)).status
            return (await client.request(how, address, json={"squadIds": squads}, token=token)).status

        async def linked() -> set[str]:
            answer = await client.get(f"{address}?include=squads", token=everyone)
            return {squad["id"] for squad in answer.data["squads"]}

        stranger = client.token("nobody's id")
        assert await send([], stranger) == 200
        assert await linked() == {hidden, own}
        for squads in ([other], [], [own, other]):
            assert await send(squads, bob) == 200
            assert await linked() == {hidden, *squads}
        assert await send([], everyone) == 200
        assert await linked() == set()


class Tool(Resource, prefix="too", owner="smith_id"):
    smith: One[Head] = one(link=public)

    read = Read(allow=public)
    create = Create(allow=public)


class Kit(Resource, prefix="kit"):
    tools: Many[Tool] = many(through="kit_tools", link=this.is_owner)

    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


async def test_what_is_seen_can_be_taken_out_by_those_who_may_not_put_it_in(
    make_settings: Callable[..., Settings],
) -> None:
    """A declaration says what may be referred to; hidden, and so kept, is only what nobody showed to the caller."""
    app = Sternpost(Contract("kits", resources=[Head, Tool, Kit]), settings=make_settings())
    async with Client(app) as client:
        heads = [(await client.post("/api/v1/heads", json={})).data["id"] for _ in range(2)]
        ann, bob = (client.token(head) for head in heads)
        tools = [(await client.post("/api/v1/tools", json={"smithId": head})).data["id"] for head in heads]
        kit = (await client.post("/api/v1/kits", json={"toolIds": tools[:1]}, token=ann)).data["id"]
        address = f"/api/v1/kits/{kit}"

        async def put_in(ids: list[str], token: str) -> int:
            return (await client.patch(address, json={"toolIds": ids}, token=token)).status

        async def inside() -> list[str]:
            return [tool["id"] for tool in (await client.get(f"{address}?include=tools")).data["tools"]]

        assert await put_in(tools[1:], bob) == 200
        assert await inside() == tools[1:]
        assert await put_in([], bob) == 200
        assert await inside() == []
        assert await put_in(tools[:1], bob) == 422

"""What a policy looks at in other rows is there for the caller alone: nothing of deleted rows, or of other tenants."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sternpost import (
    Browse,
    Change,
    Context,
    Contract,
    Create,
    Delete,
    One,
    Read,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Update,
    authenticated,
    field,
    implements,
    one,
    public,
    this,
)
from sternpost.testing import Client

V1 = "/api/v1"


class Firm(Resource, prefix="fir"):
    name: str = field(default="")

    create = Create(allow=public)


class Area(Resource, prefix="are", tenant="firm_id", soft_delete=True):
    firm: One[Firm]
    open: bool = field(default=True)

    read = Read(allow=authenticated)
    create = Create(allow=authenticated)
    delete = Delete(allow=authenticated)


class Project(Resource, prefix="prj", tenant="firm_id", soft_delete=True, owner="lead"):
    firm: One[Firm]
    lead: str
    area: One[Area] | None = one(on_delete="set_null")

    read = Read(allow=authenticated)
    create = Create(allow=authenticated)
    delete = Delete(allow=authenticated)


class Task(Resource, prefix="tsk", tenant="firm_id"):
    """What a policy looks at is one reference away, or two."""

    firm: One[Firm]
    project: One[Project]
    text: str = field(default="")

    browse = Browse(allow=this.project.is_owner)
    read = Read(allow=this.project.is_owner)
    create = Create(allow=this.project.is_owner)
    update = Update(allow=this.project.is_owner)
    delete = Delete(allow=this.project.area.open.eq(True))


class Memo(Resource, prefix="mem"):
    """Nobody's, about what is a tenant's."""

    project: One[Project]

    read = Read(allow=public)
    create = Create(allow=this.project.area.open.eq(True))


class People:
    """The same person in two firms, with an area and a project in each."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.tokens: list[str] = []
        self.areas: list[str] = []
        self.projects: list[str] = []

    async def fill(self) -> None:
        for _ in range(2):
            firm = await self.made("firms", None)
            self.tokens.append(self.client.token("ada", tenant=firm))
            self.areas.append(await self.made("areas", self.tokens[-1]))
            values = {"lead": "ada", "areaId": self.areas[-1]}
            self.projects.append(await self.made("projects", self.tokens[-1], **values))

    async def made(self, path: str, token: str | None, **body: Any) -> str:
        answer = await self.client.post(f"{V1}/{path}", json=body, token=token)
        assert answer.status == 201, answer.content
        return answer.data["id"]

    async def delete_behind(self, table: str) -> None:
        """Marks the rows of a table as deleted, behind the back of what refers to them."""
        async with self.client.app.data(tenants="all") as db:
            assert await db.execute(f"update {table} set deleted_at = :at", at=datetime(2026, 1, 1, tzinfo=UTC)) == 2


@pytest.fixture
async def people(make_settings: Callable[..., Settings]) -> AsyncIterator[People]:
    contract = Contract("work", resources=[Firm, Area, Project, Task, Memo])
    async with Client(Sternpost(contract, settings=make_settings(), write_log=lambda line: None)) as client:
        found = People(client)
        await found.fill()
        yield found


async def created(people: People, path: str, project: str) -> list[tuple[int, str]]:
    """What a creation is told, alone and in a batch."""
    body = {"projectId": project}
    steps = [{"operation": f"{path}.create", "body": body}]
    answers = [
        await people.client.post(f"{V1}/{path}", json=body, token=people.tokens[0]),
        await people.client.post(f"{V1}/$batch", json={"operations": steps}, token=people.tokens[0]),
    ]
    return [(answer.status, "" if answer.status < 300 else answer.error["code"]) for answer in answers]


@pytest.mark.parametrize("path", ["tasks", "memos"])
async def test_a_creation_is_not_allowed_by_a_row_of_another_tenant(people: People, path: str) -> None:
    assert [status for status, _ in await created(people, path, people.projects[0])] == [201, 200]
    refused = [(403, "FORBIDDEN")] * 2
    assert await created(people, path, people.projects[1]) == refused
    assert await created(people, path, "prj_" + "0" * 32) == refused, "and is told the same of none"


@pytest.mark.parametrize("path", ["tasks", "memos"])
async def test_a_creation_is_not_allowed_by_a_deleted_row(people: People, path: str) -> None:
    gone = people.projects[0]
    assert (await people.client.delete(f"{V1}/projects/{gone}", token=people.tokens[0])).status == 204
    assert await created(people, path, gone) == [(403, "FORBIDDEN")] * 2


async def test_a_creation_is_not_allowed_by_what_is_behind_a_deleted_row(people: People) -> None:
    """The second step of a path: the project is there, its area is not."""
    await people.delete_behind("areas")
    assert await created(people, "memos", people.projects[0]) == [(403, "FORBIDDEN")] * 2
    assert [status for status, _ in await created(people, "tasks", people.projects[0])] == [201, 200]


async def test_a_row_is_not_shown_or_changed_for_what_a_deleted_row_says(people: People) -> None:
    client, token = people.client, people.tokens[0]
    task = await people.made("tasks", token, projectId=people.projects[0])
    url = f"{V1}/tasks/{task}"
    assert (await client.get(url, token=token)).status == 200
    assert len((await client.get(f"{V1}/tasks", token=token)).data) == 1
    await people.delete_behind("areas")
    assert (await client.delete(url, token=token)).status == 403
    await people.delete_behind("projects")
    for method, body in (("GET", None), ("PATCH", {"text": "x"}), ("DELETE", None)):
        assert (await client.request(method, url, json=body, token=token)).status == 404, method
    assert (await client.get(f"{V1}/tasks", token=token)).json()["meta"]["totalCount"] == 0


async def test_a_row_is_not_shown_or_changed_for_what_another_tenants_says(people: People) -> None:
    client, token = people.client, people.tokens[0]
    task = await people.made("tasks", token, projectId=people.projects[0])
    async with client.app.data(tenants="all") as db:  # behind the back of the references
        ours, theirs = [await db.table(Project).get(project) for project in people.projects]
        await db.execute(
            "update projects set firm_id = :firm where id = :id",
            firm=theirs.firm_id.removeprefix("fir_"),
            id=ours.id.removeprefix("prj_"),
        )
    for method, body in (("GET", None), ("PATCH", {"text": "x"}), ("DELETE", None)):
        answer = await client.request(method, f"{V1}/tasks/{task}", json=body, token=token)
        assert answer.status == 404, (method, answer.content)
    assert (await client.get(f"{V1}/tasks", token=token)).data == []


class Crew(Resource, prefix="crw", owner="head"):
    head: str
    name: str = field(default="")

    read = Read(allow=public)
    create = Create(allow=public)


class Shift(Resource, prefix="shi"):
    """A policy looks at its crew, and at the shift that it follows, which may be itself."""

    crew: One[Crew]
    follows: One[Shift] | None = one()
    open: bool = field(default=True)
    text: str = field(default="")

    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=this.crew.is_owner)
    replace = Replace(allow=this.follows.open.eq(True))


@implements(Shift.update)
async def update_shift(ctx: Context, change: Change[Shift]) -> Shift:
    """May give the crew away, which changes nothing of the shift."""
    shift = await change.apply()
    if shift.text == "give away":
        await ctx.repository(Crew).update(shift.crew_id, {"head": "bob"})
    return shift


@pytest.fixture
async def shifts(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    contract = Contract("shifts", resources=[Crew, Shift])
    app = Sternpost(contract, services=[update_shift], settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


async def test_a_policy_sees_what_a_function_has_done_to_other_rows(shifts: Client) -> None:
    crew = (await shifts.post(f"{V1}/crews", json={"head": "ada"})).data["id"]
    shift = (await shifts.post(f"{V1}/shifts", json={"crewId": crew})).data["id"]
    ada = shifts.token("ada")
    assert (await shifts.patch(f"{V1}/shifts/{shift}", json={"text": "keep"}, token=ada)).status == 200
    assert (await shifts.patch(f"{V1}/shifts/{shift}", json={"text": "give away"}, token=ada)).status == 403
    assert (await shifts.get(f"{V1}/crews/{crew}")).data["head"] == "ada"
    assert (await shifts.get(f"{V1}/shifts/{shift}")).data["text"] == "keep"


async def test_a_policy_sees_the_changed_row_where_a_path_comes_back_to_it(shifts: Client) -> None:
    crew = (await shifts.post(f"{V1}/crews", json={"head": "ada"})).data["id"]
    shift = (await shifts.post(f"{V1}/shifts", json={"crewId": crew})).data["id"]
    ada, address = shifts.token("ada"), f"{V1}/shifts/{shift}"
    assert (await shifts.patch(address, json={"followsId": shift}, token=ada)).status == 200
    body = {"crewId": crew, "followsId": shift, "text": "new"}
    assert (await shifts.put(address, json={**body, "open": True})).status == 200
    assert (await shifts.put(address, json={**body, "open": False})).status in (401, 403)
    assert (await shifts.get(address)).data["open"] is True


class Member(Resource, prefix="mbr", owner="id", tenant="firm_id"):
    firm: One[Firm]

    read = Read(allow=authenticated)
    create = Create(allow=authenticated)


class Guest(Resource, prefix="gst", owner="id", soft_delete=True):
    name: str = field(default="")

    read = Read(allow=public)
    create = Create(allow=public)


class Badge(Resource, prefix="bdg"):
    """Whose it is, its own column says; whether that one is there for the caller, the row that it refers to."""

    holder: One[Member]
    text: str = field(default="")

    browse = Browse(allow=this.holder.is_owner)
    read = Read(allow=this.holder.is_owner)
    create = Create(allow=this.holder.is_owner)
    update = Update(allow=this.holder.is_owner)


class Ticket(Resource, prefix="tkt"):
    """The same, of one who may be deleted."""

    holder: One[Guest]
    text: str = field(default="")

    browse = Browse(allow=this.holder.is_owner)
    read = Read(allow=this.holder.is_owner)
    create = Create(allow=this.holder.is_owner)
    update = Update(allow=this.holder.is_owner)


@pytest.fixture
async def holders(make_settings: Callable[..., Settings]) -> AsyncIterator[People]:
    contract = Contract("holders", resources=[Firm, Member, Guest, Badge, Ticket])
    async with Client(Sternpost(contract, settings=make_settings(), write_log=lambda line: None)) as client:
        yield People(client)


async def is_there(people: People, path: str, row: str, token: str) -> bool:
    """Whether a caller can list, read and change a row; the three say the same."""
    client, address = people.client, f"{V1}/{path}/{row}"
    listed = [each["id"] for each in (await client.get(f"{V1}/{path}", token=token)).data]
    statuses = {
        (await client.get(address, token=token)).status,
        (await client.patch(address, json={"text": "x"}, token=token)).status,
    }
    assert (listed, statuses) in (([row], {200}), ([], {404}))
    return bool(listed)


async def test_an_owner_of_another_tenant_is_none(holders: People) -> None:
    ours, theirs = [await holders.made("firms", None) for _ in range(2)]
    member = await holders.made("members", holders.client.token("ada", tenant=ours))
    own, strange = (holders.client.token(member, tenant=firm) for firm in (ours, theirs))
    badge = await holders.made("badges", own, holderId=member)
    assert await is_there(holders, "badges", badge, own)
    assert not await is_there(holders, "badges", badge, strange)
    answer = await holders.client.post(f"{V1}/badges", json={"holderId": member}, token=strange)
    assert answer.status in (403, 422), answer.content


async def test_an_owner_who_is_deleted_is_none(holders: People) -> None:
    guest = await holders.made("guests", None)
    token = holders.client.token(guest)
    ticket = await holders.made("tickets", token, holderId=guest)
    assert await is_there(holders, "tickets", ticket, token)
    async with holders.client.app.data(tenants="all") as db:  # behind the back of the reference
        await db.execute("update guests set deleted_at = :at", at=datetime(2026, 1, 1, tzinfo=UTC))
    assert not await is_there(holders, "tickets", ticket, token)
    answer = await holders.client.post(f"{V1}/tickets", json={"holderId": guest}, token=token)
    assert answer.status in (403, 422), answer.content

"""Policies that look into lists, over HTTP on each database: memberships, bans, and what a call cannot grant itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Custom,
    Delete,
    Many,
    One,
    Owned,
    Read,
    Resource,
    Restore,
    Settings,
    Sternpost,
    Update,
    authenticated,
    field,
    implements,
    many,
    one,
    outer,
    public,
    scope,
    this,
)
from sternpost.testing import Client


class User(Resource, prefix="usr", owner="id"):
    name: str

    read = Read(allow=public)
    create = Create(allow=public)


class Team(Resource, prefix="tea"):
    members: Many[Member]
    bans: Many[Ban]
    documents: Many[Document]

    create = Create(allow=public)
    read = Read(allow=this.members.any(this.user.is_owner) | scope("teams:all"))
    join = Custom(allow=public, input=None)


class Member(Resource, prefix="mem", soft_delete=True):
    team: One[Team] = one(link=public)
    user: One[User]
    role: Literal["guest", "admin"] = field(default="guest")

    create = Create(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)


class Ban(Resource, prefix="ban"):
    team: One[Team] = one(link=public)
    user: One[User]

    create = Create(allow=public)
    delete = Delete(allow=public)


class Reviewer(Resource, prefix="rev"):
    document: One[Document]
    user: One[User]


class Tag(Resource, prefix="tag"):
    name: str
    open: bool = field(default=False)

    create = Create(allow=public)
    read = Read(allow=public)


admin = this.team.members.any(this.user.is_owner & this.role.eq("admin"))


class Document(Resource, prefix="doc", soft_delete=True):
    team: One[Team] = one(link=public)
    author: One[User] | None
    text: str = field(default="")
    reviewers: Owned[Reviewer]
    tags: Many[Tag] = many(through="document_tags")

    browse = Browse(allow=this.team.members.any(this.user.is_owner) & this.team.bans.none(this.user.is_owner))
    read = Read(allow=admin | this.reviewers.any(this.user.is_owner) | this.tags.any(this.open.eq(True)))
    create = Create(allow=admin)
    update = Update(allow=admin | this.reviewers.any(this.user.is_owner))
    restore = Restore(allow=admin | this.reviewers.any(this.user.is_owner))
    delete = Delete(allow=authenticated & this.team.members.none(this.user.eq(outer.author)))


class Folder(Resource, prefix="fol"):
    teams: Many[Team] = many(through="folder_teams")

    create = Create(allow=public)
    read = Read(allow=public)
    update = Update(allow=public)


@implements(Team.join)
async def join(ctx: Any, team: Team) -> None:
    await ctx.repository(Member).create({"team_id": team.id, "user_id": ctx.caller.subject, "role": "admin"})


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    contract = Contract("lists", resources=[User, Team, Member, Ban, Reviewer, Tag, Document, Folder])
    app = Sternpost(contract, services=[join], settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


class World:
    """A team with one admin and a document, and somebody else."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def make(self) -> World:
        self.ann, self.ben = await self.user("ann"), await self.user("ben")
        self.team = await self.new("teams", {})
        self.member = await self.new("members", {"teamId": self.team, "userId": self.ann, "role": "admin"})
        self.document = await self.new("documents", {"teamId": self.team, "authorId": self.ann}, self.ann)
        return self

    async def user(self, name: str) -> str:
        return await self.new("users", {"name": name})

    async def new(self, path: str, body: dict[str, Any], who: str | None = None) -> str:
        answer = await self.client.post(f"/api/v1/{path}", json=body, token=who and self.client.token(who))
        assert answer.status == 201, answer.json()
        return answer.data["id"]

    async def read(self, who: str) -> int:
        return (await self.client.get(f"/api/v1/documents/{self.document}", token=self.client.token(who))).status

    async def listed(self, who: str) -> int:
        return len((await self.client.get("/api/v1/documents", token=self.client.token(who))).data)

    async def patch(self, who: str, **body: Any) -> int:
        address = f"/api/v1/documents/{self.document}"
        return (await self.client.patch(address, json=body, token=self.client.token(who))).status

    async def batch(self, who: str, *steps: dict[str, Any]) -> int:
        answer = await self.client.post(
            "/api/v1/$batch", json={"operations": list(steps)}, token=self.client.token(who)
        )
        return answer.status


@pytest.fixture
async def world(client: Client) -> World:
    return await World(client).make()


async def test_members_see_what_others_do_not(world: World) -> None:
    assert (await world.read(world.ann), await world.read(world.ben)) == (200, 404)
    assert (await world.listed(world.ann), await world.listed(world.ben)) == (1, 0)
    guest = await world.new("members", {"teamId": world.team, "userId": world.ben})
    assert (await world.read(world.ben), await world.listed(world.ben)) == (404, 1)
    await world.client.patch(f"/api/v1/members/{guest}", json={"role": "admin"})
    assert await world.read(world.ben) == 200
    await world.client.delete(f"/api/v1/members/{guest}")  # it is kept, and does not count any more
    assert (await world.read(world.ben), await world.listed(world.ben)) == (404, 0)


async def test_none_is_asked_of_every_row(world: World) -> None:
    ban = await world.new("bans", {"teamId": world.team, "userId": world.ann})
    assert await world.listed(world.ann) == 0
    await world.client.delete(f"/api/v1/bans/{ban}")
    assert await world.listed(world.ann) == 1


async def test_rows_of_a_list_are_compared_with_the_row_outside(world: World) -> None:
    address = f"/api/v1/documents/{world.document}"
    assert (await world.client.delete(address, token=world.client.token(world.ann))).status == 403  # a member wrote it
    assert await world.patch(world.ann, authorId=world.ben) == 200
    assert (await world.client.delete(address, token=world.client.token(world.ann))).status == 204


async def test_items_and_links_count_as_they_are_written_with_the_row(world: World) -> None:
    assert await world.patch(world.ben, text="mine") == 404
    assert await world.patch(world.ann, reviewers=[{"userId": world.ben}]) == 200
    assert await world.read(world.ben) == 200
    assert await world.patch(world.ben, text="reviewed") == 200
    assert await world.patch(world.ben, reviewers=[{"userId": world.ann}]) == 403  # a row that is theirs no more
    assert await world.patch(world.ben, reviewers=[{"userId": world.ann}, {"userId": world.ben}]) == 200
    tag = await world.new("tags", {"name": "open", "open": True})
    cat = await world.user("cat")
    assert await world.read(cat) == 404
    assert await world.patch(world.ann, tagIds=[tag]) == 200
    assert await world.read(cat) == 200


async def test_a_creation_asks_lists_of_the_rows_that_it_refers_to(world: World) -> None:
    body = {"teamId": world.team}
    token = world.client.token(world.ben, "teams:all")
    assert (await world.client.post("/api/v1/documents", json=body, token=token)).status == 403
    await world.new("members", {"teamId": world.team, "userId": world.ben, "role": "admin"})
    assert (await world.client.post("/api/v1/documents", json=body, token=token)).status == 201


async def test_a_batch_grants_itself_nothing(world: World) -> None:
    """What an earlier step has added does not count, whether the step is asked before or after its change."""
    join = {
        "operation": "members.create",
        "body": {"teamId": world.team, "userId": world.ben, "role": "admin"},
    }
    change = {"operation": "documents.update", "id": world.document, "body": {"text": "mine"}}
    assert await world.batch(world.ben, join, change) == 404
    assert await world.batch(world.ben, join, {"operation": "documents.read", "id": world.document}) == 404
    guest = await world.new("members", {"teamId": world.team, "userId": world.ben})
    promote = {"operation": "members.update", "id": guest, "body": {"role": "admin"}}
    assert await world.batch(world.ben, promote, change) == 404
    assert await world.batch(world.ben, promote) == 200
    assert await world.batch(world.ben, change) == 200


async def test_a_batch_lifts_no_ban_for_itself(world: World) -> None:
    ban = await world.new("bans", {"teamId": world.team, "userId": world.ann})
    listed = {"operation": "documents.browse"}
    answer = await world.client.post(
        "/api/v1/$batch",
        json={"operations": [{"operation": "bans.delete", "id": ban}, listed]},
        token=world.client.token(world.ann),
    )
    assert answer.status == 200, answer.json()
    assert answer.json()["data"][1]["data"] == []


async def test_a_batch_counts_items_of_an_earlier_step_no_more(world: World) -> None:
    """The items that a step wrote with its row are other rows for the steps behind it."""
    invite = {
        "operation": "documents.update",
        "id": world.document,
        "body": {"reviewers": [{"userId": world.ben}]},
    }
    change = {"operation": "documents.update", "id": world.document, "body": {"text": "more"}}
    assert await world.batch(world.ann, invite, change) == 200  # an admin, whatever the items are
    assert await world.patch(world.ben, text="by a reviewer") == 200
    mine = {**invite, "body": {"reviewers": [{"userId": world.ben}, {"userId": world.ann}]}}
    assert await world.batch(world.ben, mine, change) in (403, 404)


async def test_a_function_grants_its_caller_nothing_in_the_same_call(world: World) -> None:
    """The answer is that for somebody who may not see the row: its id alone."""
    token = world.client.token(world.ben)
    answer = await world.client.post(f"/api/v1/teams/{world.team}/join", token=token)
    assert (answer.status, answer.data) == (200, {"id": world.team})
    assert (await world.client.get(f"/api/v1/teams/{world.team}", token=token)).status == 200


async def test_a_membership_that_was_deleted_restores_nothing(world: World) -> None:
    """Where deleted rows are looked for, those of lists do not count; the items of the row itself do."""
    address = f"/api/v1/documents/{world.document}"
    ann, ben = world.client.token(world.ann), world.client.token(world.ben)
    assert await world.patch(world.ann, authorId=world.ben, reviewers=[{"userId": world.ben}]) == 200
    assert (await world.client.delete(address, token=ann)).status == 204
    await world.client.delete(f"/api/v1/members/{world.member}")
    assert (await world.client.post(f"{address}/restore", token=ann)).status == 404
    assert (await world.client.post(f"{address}/restore", token=ben)).status == 200


async def test_lists_under_a_row_are_those_of_a_visible_row(world: World) -> None:
    address = f"/api/v1/teams/{world.team}/documents"
    assert (await world.client.get(address, token=world.client.token(world.ben))).status == 404
    assert (await world.client.get(address, token=world.client.token(world.ann))).status == 200


async def test_a_batch_lifts_no_ban_on_a_single_row_for_itself(world: World) -> None:
    """A row that was removed or changed by an earlier step may have been the one that `none` asks for."""
    leave = {"operation": "members.delete", "id": world.member}
    delete = {"operation": "documents.delete", "id": world.document}
    assert await world.batch(world.ann, delete) == 403
    assert await world.batch(world.ann, leave, delete) in (403, 404)
    rename = {"operation": "members.update", "id": world.member, "body": {"role": "guest"}}
    assert await world.batch(world.ann, rename, delete) in (403, 404)


async def test_a_batch_keeps_links_with_what_its_caller_cannot_see(world: World) -> None:
    """Whatever it has written before of what says whether they see it."""
    folder = await world.new("folders", {"teamIds": [world.team]}, world.ann)
    touch = {"operation": "members.update", "id": world.member, "body": {"role": "guest"}}
    clear = {"operation": "folders.update", "id": folder, "body": {"teamIds": []}}
    assert await world.batch(world.ben, touch, clear) == 200
    address = f"/api/v1/folders/{folder}?include=teams"
    seen = await world.client.get(address, token=world.client.token(world.ann))
    assert [team["id"] for team in seen.data["teams"]] == [world.team]

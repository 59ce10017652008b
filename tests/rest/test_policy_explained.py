"""`sternpost policy explain` says what the service answers, and which clause decides it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Many,
    One,
    Read,
    Resource,
    Restore,
    Settings,
    Sternpost,
    Update,
    authenticated,
    claim,
    field,
    named,
    one,
    public,
    scope,
    this,
)
from sternpost.cli.policy import judged
from sternpost.plan.policy import describe
from sternpost.ports.authenticator import Principal
from sternpost.testing import Client
from tests.support.commands import Shell


class User(Resource, prefix="usr", owner="id"):
    name: str

    create = Create(allow=public)
    read = Read(allow=public)


class Team(Resource, prefix="tea"):
    members: Many[Member]

    create = Create(allow=public)
    read = Read(allow=public)


class Member(Resource, prefix="mem"):
    team: One[Team]
    user: One[User]

    create = Create(allow=public)


class Plan(Resource, prefix="pln", soft_delete=True):
    team: One[Team]
    owner: One[User] | None = one()
    open: bool = field(default=False)

    member = this.team.members.any(this.user.is_owner)

    browse = Browse(allow=member | this.open.eq(True))
    read = Read(allow=member | this.open.eq(True))
    create = Create(allow=authenticated)
    update = Update(allow=named("members", member, text="Only members may do this") & claim("level").in_(2, 3))
    delete = Delete(allow=(scope("plans:delete") | this.owner.is_owner) & ~this.open.eq(True))
    restore = Restore(allow=member)


class Ward(Resource, prefix="wrd", tenant="clinic"):
    clinic: str = field(max_length=20)

    browse = Browse(allow=authenticated)


CONTRACT = Contract("explained", resources=[User, Team, Member, Plan, Ward])


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = Sternpost(CONTRACT, settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


async def new(client: Client, path: str, **body: Any) -> str:
    answer = await client.post(f"/api/v1/{path}", json=body, token=client.token("maker"))
    assert answer.status == 201, answer.json()
    return answer.data["id"]


METHODS = {"read": "GET", "update": "PATCH", "delete": "DELETE", "restore": "POST"}


async def test_the_answer_is_that_of_the_service(client: Client) -> None:
    running = client.app.running
    assert running is not None
    ann, ben = await new(client, "users", name="ann"), await new(client, "users", name="ben")
    team = await new(client, "teams")
    await new(client, "members", teamId=team, userId=ann)
    plans = [await new(client, "plans", teamId=team, open=is_open, ownerId=ben) for is_open in (True, False)]
    callers = [
        None,
        Principal(ann, frozenset()),
        Principal(ann, frozenset({"plans:delete"}), None, {"level": 2}),
        Principal(ben, frozenset()),
        Principal(ben, frozenset({"plans:delete"}), None, {"level": 3}),
    ]
    seen: set[int] = set()
    for caller in callers:
        token = None
        if caller is not None:
            token = client.token(caller.subject, *caller.scopes, claims=dict(caller.claims))
        for plan in (*plans, f"pln_{0:032x}", "pln_1"):
            for name, method in METHODS.items():
                _, answer = await judged(running.runtime, caller, f"plans.{name}", plan)
                address = f"/api/v1/plans/{plan}" + ("/restore" if name == "restore" else "")
                if answer.startswith("20") and name in ("delete", "restore"):
                    continue  # it would change what comes next; a row that is not deleted is no row to restore
                body = {"open": plan == plans[0]} if name == "update" else None
                status = (await client.request(method, address, json=body, token=token)).status
                assert answer.startswith(str(status)), (caller, name, plan, answer, status)
                seen.add(status)
            _, answer = await judged(running.runtime, caller, "plans.browse", plan)
            listed = {row["id"] for row in (await client.get("/api/v1/plans", token=token)).data}
            assert ("not in the list" not in answer and answer.startswith("200")) is (plan in listed)
    assert seen == {200, 401, 403, 404}


async def test_the_deciding_clause(client: Client) -> None:
    running = client.app.running
    assert running is not None
    ann, team = await new(client, "users", name="ann"), await new(client, "teams")
    plan = await new(client, "plans", teamId=team, open=True)

    async def decides(caller: Principal | None, operation: str, row: str | None = plan) -> tuple[str, bool | None]:
        clause, _ = await judged(running.runtime, caller, operation, row)
        return describe(clause.deciding.node), clause.holds

    stranger = Principal("ben", frozenset())
    assert await decides(stranger, "plans.read") == ("this.open == True", True)
    assert await decides(stranger, "plans.update") == ("this.team_id.members.any(this.user_id == caller)", False)
    member = Principal(ann, frozenset(), None, {"level": 7})
    await new(client, "members", teamId=team, userId=ann)
    assert await decides(member, "plans.read") == ("this.team_id.members.any(this.user_id == caller)", True)
    assert await decides(member, "plans.update") == ('claim("level") in (2, 3)', False)
    deletes = Principal(ann, frozenset({"plans:delete"}))
    assert await decides(deletes, "plans.delete") == ("~(this.open == True)", False)
    assert await decides(None, "plans.create", None) == ("authenticated", False)
    _, answer = await judged(running.runtime, stranger, "wards.browse", None)
    assert answer == "403: the caller acts for no tenant"


async def test_the_command(client: Client, tmp_path: Path, database_url: str) -> None:
    (tmp_path / "app.py").write_text(
        "from tests.rest.test_policy_explained import CONTRACT\n"
        "from sternpost import Sternpost\n\napp = Sternpost(CONTRACT)\n"
    )
    shell = Shell(tmp_path, database_url)
    done = shell("policy", "explain", "ann", "plans.create", "--app", "app:app")
    assert done.stdout.splitlines() == ["authenticated  holds  ← decides", "", "answer  201: allowed"], done.stderr
    done = shell("policy", "explain", "ann", "plans.update", f"pln_{0:032x}", "--app", "app:app", "--claim", "level=2")
    assert done.stdout.splitlines() == [
        "all of  depends on the row  ← decides",
        "  members: Only members may do this  depends on the row",
        "    this.team_id.members.any(this.user_id == caller)  depends on the row",
        '  claim("level") in (2, 3)  holds',
        "",
        f"answer  404: for this caller there is no Plan pln_{0:032x}",
    ], done.stderr
    assert "is about one row" in shell.refusal("policy", "explain", "ann", "plans.read", "--app", "app:app")
    assert "There is no operation" in shell.refusal("policy", "explain", "ann", "plans.fly", "--app", "app:app")
    assert "is no claim" in shell.refusal("policy", "explain", "a", "plans.create", "--claim", "x", "--app", "app:app")
    refused = shell.refusal("policy", "explain", "anonymous", "plans.create", "--scope", "x", "--app", "app:app")
    assert "has no scopes" in refused

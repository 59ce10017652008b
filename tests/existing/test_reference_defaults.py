"""`one(auto="database")`: a reference that the database fills in where nothing is sent."""

from __future__ import annotations

import pytest

from sternpost import (
    Browse,
    Contract,
    ContractError,
    Create,
    Many,
    One,
    Replace,
    Resource,
    Sternpost,
    Update,
    one,
    public,
)
from sternpost.compile.compiler import compile_contract
from sternpost.testing import Client
from tests.existing.support import execute, settings_for


class Team(Resource, prefix="tea", table="team"):
    name: str
    members: Many[Member]

    browse = Browse(allow=public)
    create = Create(allow=public)


class Member(Resource, prefix="mem", table="member"):
    name: str
    team: One[Team] = one(auto="database")

    browse = Browse(allow=public)
    create = Create(allow=public)
    replace = Replace(allow=public)
    update = Update(allow=public)


TABLES = """
    CREATE TABLE team ({id}, name text NOT NULL);
    CREATE TABLE member ({id}, name text NOT NULL, team_id integer NOT NULL DEFAULT 1 REFERENCES team);
    INSERT INTO team (name) VALUES ('usual'), ('other');
"""


@pytest.fixture
async def app(database_url: str) -> Sternpost:
    await execute(database_url, TABLES)
    contract = Contract("teams", resources=[Team, Member], schema="external", batch_max=5)
    return Sternpost(contract, settings=settings_for(database_url))


async def test_clients_may_leave_it_to_the_database(app: Sternpost) -> None:
    async with Client(app) as client:
        usual, other = [row["id"] for row in (await client.get("/api/v1/teams")).data]
        made = await client.post("/api/v1/members", json={"name": "a"})
        assert (made.status, made.data["teamId"]) == (201, usual)
        chosen = await client.post("/api/v1/members", json={"name": "b", "teamId": other})
        assert chosen.data["teamId"] == other
        assert (await client.post("/api/v1/members", json={"name": "c", "teamId": None})).status == 400
        address = f"/api/v1/members/{chosen.data['id']}"
        assert (await client.patch(address, json={"name": "d"})).data["teamId"] == other
        assert (await client.patch(address, json={"teamId": usual})).data["teamId"] == usual
        step = {"operation": "members.create", "body": {"name": "e"}}
        done = await client.post("/api/v1/$batch", json={"operations": [step]})
        assert done.status == 200, done.json()
        schema = (await client.get("/openapi.json")).json()["components"]["schemas"]["MemberCreate"]
        assert schema["required"] == ["name"]
        teams = [row["teamId"] for row in (await client.get("/api/v1/members")).data]
        assert teams == [usual, usual, usual]


async def test_so_may_services(app: Sternpost) -> None:
    async with app.data() as db:
        usual, other = await db.table(Team).find(order=["name"], limit=2)
        usual, other = (usual, other) if usual.name == "usual" else (other, usual)
        members = db.table(Member)
        alone = await members.create({"name": "a"})
        several = await members.create_many([{"name": "b"}, {"name": "c", "team_id": other.id}], returning=True)
        assert [row.team_id for row in (alone, *several)] == [usual.id, usual.id, other.id]


def test_nothing_else_fills_in_a_reference() -> None:
    class Thing(Resource, prefix="thi"):
        name: str
        thing: One[Thing] | None = one(auto="created")  # type: ignore[arg-type]

    with pytest.raises(ContractError, match=r"SP216 Thing\.thing: auto='created' is unknown"):
        compile_contract(Contract("things", resources=[Thing]))

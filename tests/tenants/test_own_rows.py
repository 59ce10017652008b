"""A resource whose rows are the tenants: each tenant has its own row, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

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
    Settings,
    Sternpost,
    Update,
    authenticated,
    caller,
    field,
    this,
)
from sternpost.testing import Client


class Clinic(Resource, prefix="cln", tenant="id"):
    name: str = field(unique=True, max_length=50)
    rooms: Many[Room]

    browse = Browse(allow=authenticated)
    read = Read(allow=authenticated)
    update = Update(allow=this.rooms.any(this.open.eq(True)))
    delete = Delete(allow=authenticated)


class Room(Resource, prefix="rom", tenant="clinic_id"):
    clinic: One[Clinic]
    open: bool = field(default=True)

    browse = Browse(allow=this.clinic.eq(caller.tenant))
    create = Create(allow=authenticated)


class Note(Resource, prefix="not"):
    clinic: One[Clinic]

    browse = Browse(allow=this.clinic.eq(caller.tenant))
    create = Create(allow=authenticated)


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    contract = Contract("clinics", resources=[Clinic, Room, Note])
    app = Sternpost(contract, settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


@pytest.fixture
async def clinics(client: Client) -> tuple[str, str]:
    async with client.app.data(tenants="all") as db:
        north, south = [(await db.table(Clinic).create({"name": name})).id for name in ("North", "South")]
    return north, south


async def test_a_tenant_sees_its_own_row_alone(client: Client, clinics: tuple[str, str]) -> None:
    north, south = clinics
    token = client.token("ann", tenant=north)
    assert [row["id"] for row in (await client.get("/api/v1/clinics", token=token)).data] == [north]
    assert (await client.get(f"/api/v1/clinics/{north}", token=token)).status == 200
    for method in ("GET", "DELETE"):
        assert (await client.request(method, f"/api/v1/clinics/{south}", token=token)).status == 404
    nobody = await client.get("/api/v1/clinics", token=client.token("ann"))
    assert (nobody.status, nobody.error["code"]) == (403, "TENANT_REQUIRED")


async def test_a_name_is_unique_among_all_tenants(client: Client, clinics: tuple[str, str]) -> None:
    north, _ = clinics
    token = client.token("ann", tenant=north)
    assert (await client.post("/api/v1/rooms", json={}, token=token)).status == 201
    taken = await client.patch(f"/api/v1/clinics/{north}", json={"name": "South"}, token=token)
    assert (taken.status, taken.error["code"]) == (409, "DUPLICATE")


async def test_nobody_refers_to_another_tenant(client: Client, clinics: tuple[str, str]) -> None:
    north, south = clinics
    token = client.token("ann", tenant=north)
    assert (await client.post("/api/v1/notes", json={"clinicId": north}, token=token)).status == 201
    refused = await client.post("/api/v1/notes", json={"clinicId": south}, token=token)
    assert refused.error["code"] == "REFERENCE_NOT_FOUND"
    assert len((await client.get("/api/v1/notes", token=token)).data) == 1
    assert (await client.get("/api/v1/notes", token=client.token("ann", tenant=south))).data == []


async def test_lists_are_those_of_the_tenant(client: Client, clinics: tuple[str, str]) -> None:
    """A room of the one clinic says nothing of the other."""
    north, south = clinics
    mine, theirs = (client.token("ann", tenant=tenant) for tenant in clinics)
    assert (await client.post("/api/v1/rooms", json={}, token=mine)).status == 201
    assert (await client.patch(f"/api/v1/clinics/{north}", json={"name": "N"}, token=mine)).status == 200
    assert (await client.patch(f"/api/v1/clinics/{south}", json={"name": "S"}, token=theirs)).status == 403


async def test_tenants_are_made_for_all_tenants_only(client: Client, clinics: tuple[str, str]) -> None:
    north, _ = clinics
    async with client.app.data(tenant=north) as db:
        with pytest.raises(RuntimeError, match="are the tenants"):
            await db.table(Clinic).create({"name": "Third"})
        assert await db.table(Clinic).count() == 1

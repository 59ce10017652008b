"""Who cannot delete a row is told which resources refer to it: those whose rows they see, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sternpost import (
    Contract,
    Create,
    Delete,
    One,
    Owned,
    Read,
    Resource,
    Settings,
    Sternpost,
    authenticated,
    field,
    many,
    one,
    public,
    scope,
    this,
)
from sternpost.testing import Client, Response


class Place(Resource, prefix="pla"):
    """Referred to by everything else."""

    name: str
    delete = Delete(allow=authenticated)
    create = Create(allow=public)
    read = Read(allow=public)


class Shelf(Resource, prefix="she"):
    """Goes along with its place."""

    place: One[Place] = one(on_delete="cascade")
    create = Create(allow=public)
    read = Read(allow=public)


class Book(Resource, prefix="boo"):
    """Keeps its shelf, and so the place."""

    shelf: One[Shelf] = one()
    create = Create(allow=public)
    read = Read(allow=public)


class Visit(Resource, prefix="vis"):
    """Seen by whoever made it."""

    by: str = field(write="create")
    place: One[Place] = one()
    create = Create(allow=public)
    read = Read(allow=this.by.eq("ada"))


class Audit(Resource, prefix="aud"):
    """Seen by nobody."""

    place: One[Place] = one()
    create = Create(allow=public)


class Secret(Resource, prefix="sec"):
    """Which place it refers to, only some may read."""

    place: One[Place] = one(read="secrets:read", write=scope("secrets:write"))
    create = Create(allow=public)
    read = Read(allow=public)


class Trip(Resource, prefix="tri", soft_delete=True):
    """Its stops refer to places."""

    stops: Owned[Stop] = many()
    create = Create(allow=public)
    read = Read(allow=scope("trips:read"))
    delete = Delete(allow=public)


class Stop(Resource, prefix="sto"):
    """A part of a trip."""

    trip: One[Trip]
    place: One[Place]


class Team(Resource, prefix="tea", tenant="tenant"):
    """Of one tenant."""

    tenant: str
    place: One[Place] = one(link=public)
    create = Create(allow=authenticated)
    read = Read(allow=authenticated)


app = Sternpost(Contract("places", resources=[Place, Shelf, Book, Visit, Audit, Secret, Trip, Stop, Team]))


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app.use(make_settings())
    async with Client(app) as client:
        yield client


async def make(client: Client, path: str, body: dict[str, Any], *scopes: str, tenant: str | None = None) -> str:
    made = await client.post(f"/api/v1/{path}", json=body, token=client.token("maker", *scopes, tenant=tenant))
    assert made.status == 201, made.json()
    return made.data["id"]


async def place(client: Client) -> str:
    return await make(client, "places", {"name": "a"})


def told(answer: Response) -> list[str]:
    assert (answer.status, answer.error["code"]) == (409, "STILL_REFERENCED"), answer.json()
    return [detail["message"] for detail in answer.error["details"]]


async def delete(client: Client, id: str, *scopes: str, tenant: str | None = None) -> Response:
    return await client.request("DELETE", f"/api/v1/places/{id}", token=client.token("eve", *scopes, tenant=tenant))


async def test_a_resource_whose_row_is_seen_is_named(client: Client) -> None:
    held = await place(client)
    await make(client, "visits", {"by": "ada", "placeId": held})
    answer = await delete(client, held)
    assert told(answer) == ["Visit refers to it by placeId"]
    assert answer.error["details"][0] == {
        "path": "",
        "code": "still_referenced",
        "message": "Visit refers to it by placeId",
    }


async def test_what_goes_along_can_be_what_is_held(client: Client) -> None:
    held = await place(client)
    shelf = await make(client, "shelfs", {"placeId": held})
    book = await make(client, "books", {"shelfId": shelf})
    answer = await delete(client, held)
    assert told(answer) == ["Book refers to it by shelfId"]
    assert not any(each.partition("_")[2] in answer.content.decode() for each in (held, shelf, book)), "no id is told"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("visits", {"by": "somebody"}),
        ("audits", {}),
        ("secrets", {}),
        ("trips", None),
        ("teams", {}),
    ],
)
async def test_a_row_that_is_not_seen_is_not_told(client: Client, path: str, body: dict[str, Any] | None) -> None:
    held = await place(client)
    sent = {"stops": [{"placeId": held}]} if body is None else {**body, "placeId": held}
    await make(client, path, sent, "secrets:write", "secrets:read", tenant="one")
    assert told(await delete(client, held, tenant="two")) == []
    await make(client, "visits", {"by": "ada", "placeId": held})
    assert told(await delete(client, held, tenant="two")) == ["Visit refers to it by placeId"]


async def test_who_may_see_more_is_told_more(client: Client) -> None:
    held = await place(client)
    await make(client, "secrets", {"placeId": held}, "secrets:write", "secrets:read")
    trip = await make(client, "trips", {"stops": [{"placeId": held}]})
    await make(client, "teams", {"placeId": held}, tenant="one")
    everything = ("secrets:read", "trips:read")
    assert sorted(told(await delete(client, held, *everything, tenant="one"))) == [
        "Secret refers to it by placeId",
        "Team refers to it by placeId",
        "Trip refers to it by stops.placeId",
    ]
    assert (await client.request("DELETE", f"/api/v1/trips/{trip}")).status == 204
    assert "Trip refers to it by stops.placeId" not in told(await delete(client, held, *everything, tenant="one"))


async def test_a_step_of_a_batch_is_told_the_same(client: Client) -> None:
    held = await place(client)
    await make(client, "visits", {"by": "ada", "placeId": held})
    steps = [{"operation": "places.create", "body": {"name": "b"}}, {"operation": "places.delete", "id": held}]
    answer = await client.post("/api/v1/$batch", json={"operations": steps}, token=client.token("eve"))
    assert told(answer) == ["Visit refers to it by placeId"]
    assert answer.error["details"][0]["path"] == "operations.1"


async def test_what_only_the_batch_has_made_is_not_told(client: Client) -> None:
    held = await place(client)
    steps = [
        {"operation": "visits.create", "body": {"by": "ada", "placeId": held}},
        {"operation": "places.delete", "id": held},
    ]
    answer = await client.post("/api/v1/$batch", json={"operations": steps}, token=client.token("eve"))
    assert (answer.status, [detail["path"] for detail in answer.error["details"]]) == (409, ["operations.1"])

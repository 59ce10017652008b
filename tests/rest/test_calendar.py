"""The first and the last instant there is, which drivers take for something else, on each database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sternpost import Browse, Contract, Create, Read, Resource, Settings, Sternpost, public
from sternpost.testing import Client

EDGES = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"]


class Event(Resource, prefix="evt"):
    at: datetime

    browse = Browse(sort=["at"], export=True, allow=public)
    read = Read(allow=public)
    create = Create(allow=public)


async def test_every_answer_says_the_zone(make_settings: Callable[..., Settings]) -> None:
    app = Sternpost(Contract("events", resources=[Event]), settings=make_settings())
    async with Client(app) as client:
        for at in EDGES:
            made = await client.post("/api/v1/events", json={"at": at})
            assert (made.status, made.data["at"]) == (201, at)
            assert (await client.get(f"/api/v1/events/{made.data['id']}")).data["at"] == at
        listed = await client.get("/api/v1/events?sort=at")
        assert [row["at"] for row in listed.data] == EDGES
        exported = await client.get("/api/v1/events?sort=at", headers={"Accept": "application/x-ndjson"})
        assert [line for line in EDGES if line.encode() in exported.content] == EDGES
        batch = {"operations": [{"operation": "events.create", "body": {"at": EDGES[0]}}]}
        done = await client.post("/api/v1/$batch", json=batch)
        assert [result["data"]["at"] for result in done.data] == EDGES[:1]

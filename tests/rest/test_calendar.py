"""The first and the last instant there is, which drivers take for something else, on each database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest

from sternpost import Browse, Contract, Create, Read, Resource, Settings, Sternpost, field, public
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


class Stay(Resource, prefix="sta"):
    on: date = field(default=date(2026, 3, 1), ge=date(2026, 1, 1), le=date(2026, 12, 31))
    at: datetime = field(
        default=datetime(2026, 3, 1, tzinfo=UTC),
        ge=datetime(2026, 1, 1, tzinfo=UTC),
        le=datetime(2026, 12, 31, 12, tzinfo=UTC),
    )

    create = Create(allow=public)


@pytest.mark.parametrize(
    ("name", "fits", "misfits"),
    [
        ("on", ["2026-01-01", "2026-12-31"], ["2025-12-31", "2027-01-01"]),
        (
            "at",
            ["2026-01-01T01:00:00+01:00", "2026-12-31T12:00:00Z"],
            ["2025-12-31T23:59:59.999999Z", "2026-12-31T12:00:00.000001Z"],
        ),
    ],
)
async def test_the_bounds_of_a_field_belong_to_it(
    make_settings: Callable[..., Settings], name: str, fits: list[str], misfits: list[str]
) -> None:
    app = Sternpost(Contract("stays", resources=[Stay]), settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        for text in fits:
            assert (await client.post("/api/v1/stays", json={name: text})).status == 201, text
        codes: list[str] = []
        for text in misfits:
            refused = await client.post("/api/v1/stays", json={name: text})
            codes += [detail["code"] for detail in refused.error["details"]]
        assert codes == ["greater_than_equal", "less_than_equal"]

"""Policies that compare values with each other, with several, with nothing, and with the instant of the call: the same on
every way to a row."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    One,
    Read,
    Resource,
    Settings,
    Sternpost,
    Update,
    field,
    now,
    public,
    this,
)
from sternpost.testing import Client

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


class SetClock:
    """A clock that stands until it is set; with `step` it goes on whenever it is read."""

    def __init__(self) -> None:
        self.instant, self.step = START, timedelta(0)

    def now(self) -> datetime:
        self.instant += self.step
        return self.instant

    def monotonic(self) -> float:
        return 0.0


class Team(Resource, prefix="tea"):
    budget: int

    read = Read(allow=public)
    create = Create(allow=public)


class Offer(Resource, prefix="off"):
    team: One[Team] | None
    state: Literal["draft", "open", "held", "done"] = field(default="open", filter=True)
    price: int = field(default=1)
    ends_at: datetime | None

    browse = Browse(allow=this.state.in_("open", "held") & (this.ends_at.is_null | this.ends_at.gt(now())))
    read = Read(allow=this.state.in_("open", "held") & (this.ends_at.is_null | this.ends_at.gt(now())))
    create = Create(allow=this.team.is_null | this.price.lte(this.team.budget))
    update = Update(allow=this.team.is_null | this.price.lte(this.team.budget))
    delete = Delete(allow=~this.state.in_("open"))


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def client(make_settings: Callable[..., Settings], clock: SetClock) -> AsyncIterator[Client]:
    app = Sternpost(Contract("offers", resources=[Team, Offer]), settings=make_settings(), clock=clock)
    app._write_log = lambda line: None
    async with Client(app) as client:
        yield client


async def made(client: Client, **body: object) -> str:
    answer = await client.post("/api/v1/offers", json=body)
    assert answer.status == 201, answer.json()
    return answer.data["id"]


async def seen(client: Client) -> set[str]:
    return {row["id"] for row in (await client.get("/api/v1/offers")).data}


async def test_lists_and_rows_know_the_instant_of_the_call(client: Client, clock: SetClock) -> None:
    ends = (START + timedelta(minutes=1)).isoformat()
    for_ever, soon, held = await made(client), await made(client, endsAt=ends), await made(client, state="held")
    await made(client, state="done")
    assert await seen(client) == {for_ever, soon, held}
    assert (await client.get(f"/api/v1/offers/{soon}")).status == 200
    clock.instant += timedelta(minutes=1)
    assert await seen(client) == {for_ever, held}
    assert (await client.get(f"/api/v1/offers/{soon}")).status == 404


async def test_values_are_compared_with_those_of_other_rows(client: Client) -> None:
    team = (await client.post("/api/v1/teams", json={"budget": 5})).data["id"]
    offer = await made(client, teamId=team, price=5)
    for body, status in (({"teamId": team, "price": 6}, 401), ({"price": 6}, 201), ({"teamId": None, "price": 6}, 201)):
        assert (await client.post("/api/v1/offers", json=body)).status == status, body
    assert (await client.patch(f"/api/v1/offers/{offer}", json={"price": 6})).status == 401
    assert (await client.patch(f"/api/v1/offers/{offer}", json={"price": 6, "teamId": None})).status == 200


async def test_a_negation_is_the_opposite(client: Client) -> None:
    offer, held = await made(client), await made(client, state="held")
    assert (await client.delete(f"/api/v1/offers/{offer}")).status == 401
    assert (await client.delete(f"/api/v1/offers/{held}")).status == 204


async def test_the_steps_of_a_batch_share_an_instant(client: Client, clock: SetClock) -> None:
    offer = await made(client, endsAt=(START + timedelta(seconds=90)).isoformat())
    clock.step = timedelta(seconds=20)
    steps = [{"operation": "offers.read", "id": offer}] * 6
    answer = await client.post("/api/v1/$batch", json={"operations": steps})
    assert answer.status == 200, answer.json()
    assert len(answer.json()["data"]) == 6

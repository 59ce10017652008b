"""A policy of `create` is asked about the row as it would be: with defaults that no client may set, and with totals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Literal

import pytest

from sternpost import (
    Contract,
    Create,
    One,
    Owned,
    Read,
    Resource,
    Settings,
    Sternpost,
    computed,
    field,
    many,
    public,
    scope,
    sum_of,
    this,
)
from sternpost.testing import Client

V1 = "/api/v1"


class Draft(Resource, prefix="dra"):
    state: Literal["open", "closed"] = field(default="open", write="never")
    level: int = field(default=1, write=scope("staff"))
    at: datetime = field(auto="created")

    read = Read(allow=public)
    create = Create(allow=this.state.eq("open") & this.level.eq(1) & this.at.gt(datetime(2020, 1, 1, tzinfo=UTC)))


class Bill(Resource, prefix="bil"):
    lines: Owned[Line] = many(max_length=5)
    total: int = computed(sum_of("lines", "amount"))

    read = Read(allow=public)
    create = Create(allow=this.total.lte(10))


class Line(Resource, prefix="lin"):
    bill: One[Bill]
    amount: int = field(default=4)


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    contract = Contract("new", resources=[Draft, Bill, Line])
    async with Client(Sternpost(contract, settings=make_settings(), write_log=lambda line: None)) as client:
        yield client


async def made(client: Client, path: str, body: object, token: str | None = None) -> int:
    alone = await client.post(f"{V1}/{path}", json=body, token=token)
    step = {"operation": f"{path}.create", "body": body}
    batch = await client.post(f"{V1}/$batch", json={"operations": [step]}, token=token)
    assert (batch.status == 200) == (alone.status == 201)
    return alone.status


async def test_defaults_that_no_client_may_set_are_part_of_the_row(client: Client) -> None:
    assert await made(client, "drafts", {}) == 201
    staff = client.token("ada", "staff")
    assert await made(client, "drafts", {"level": 1}, staff) == 201
    assert await made(client, "drafts", {"level": 2}, staff) == 403


async def test_totals_are_part_of_the_row(client: Client) -> None:
    assert await made(client, "bills", {"lines": [{"amount": 10}]}) == 201
    assert await made(client, "bills", {"lines": [{}, {}]}) == 201
    assert await made(client, "bills", {"lines": [{}, {}, {}]}) == 401

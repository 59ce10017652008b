"""The bodies that documentation fills in: they can be sent as they are."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest

from sternpost import (
    Context,
    Contract,
    Create,
    Custom,
    Email,
    IPAddress,
    Payload,
    Read,
    Replace,
    Resource,
    Settings,
    Slug,
    Sternpost,
    Update,
    Url,
    field,
    implements,
    public,
)
from sternpost.testing import Client


class Size(Payload):
    kind: Literal["size"]
    width: int = field(ge=3)


class Shape(Payload):
    kind: Literal["shape"]
    name: str


class Box(Resource, prefix="box"):
    name: str = field(min_length=12, max_length=14)
    code: str = field(pattern="^[A-Z]{3}$", example="ABC")
    email: Email
    site: Url
    slug: Slug
    price: Decimal = field(decimal_places=2, ge=Decimal("2.50"))
    least: int = field(le=-5)
    ratio: float
    done: bool
    at: datetime = field(ge=datetime(2027, 1, 1, tzinfo=UTC))
    day: date
    opens: time = field(le=time(8))
    lasts: timedelta
    key: UUID
    host: IPAddress
    raw: bytes
    state: Literal["new", "old"]
    tags: list[str] = field(min_items=2, max_length=2)
    names: dict[str, int] = field(min_items=2)
    form: Size | Shape
    note: str | None = field(example="as you like")

    read = Read(allow=public)
    create = Create(allow=public, example={"name": "twelve signs", "day": date(2030, 5, 1)})
    replace = Replace(allow=public)
    update = Update(allow=public)
    resize = Custom(on="item", input=Size, output=None, allow=public)


@implements(Box.resize)
async def resize(ctx: Context, box: Box, size: Size) -> None:
    assert size.width == 3


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = Sternpost(Contract("boxes", resources=[Box]), services=[resize], settings=make_settings())
    async with Client(app) as client:
        yield client


async def example(client: Client, path: str, method: str) -> dict[str, Any]:
    document = (await client.get("/openapi.json")).json()
    return document["paths"][path][method]["requestBody"]["content"]["application/json"]["example"]


async def test_each_body_can_be_sent(client: Client) -> None:
    body = await example(client, "/api/v1/boxes", "post")
    assert (body["name"], body["day"], body["code"], body["note"]) == (
        "twelve signs",
        "2030-05-01",
        "ABC",
        "as you like",
    )
    made = await client.post("/api/v1/boxes", json=body)
    assert made.status == 201, made.content
    path = f"/api/v1/boxes/{made.data['id']}"
    replaced = await client.put(path, json=await example(client, "/api/v1/boxes/{id}", "put"))
    assert replaced.status == 200, replaced.content
    changed = await client.patch(path, json=await example(client, "/api/v1/boxes/{id}", "patch"))
    assert changed.status == 200, changed.content
    resized = await client.post(f"{path}/resize", json=await example(client, "/api/v1/boxes/{id}/resize", "post"))
    assert resized.status == 204, resized.content


async def test_a_schema_shows_the_example(client: Client) -> None:
    schemas = (await client.get("/openapi.json")).json()["components"]["schemas"]
    assert schemas["BoxCreate"]["properties"]["code"]["examples"] == ["ABC"]
    assert schemas["Box"]["properties"]["code"]["examples"] == ["ABC"]

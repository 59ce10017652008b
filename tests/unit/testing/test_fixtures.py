"""The plugin's own fixtures, with the shop: what a project's tests look like."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from shop.data import Data

from sternpost import Sternpost
from sternpost.testing import Caller, Client, ManualClock

API = "/api/v1"


@pytest.fixture
async def ada(client: Client, data: Data) -> Caller:
    user = await data.users.create({"name": "Ada", "email": "ada@shop.example"})
    return client.as_(user.id)


@pytest.fixture
def admin(client: Client) -> Caller:
    return client.as_("usr_admin", "orders:*", "users:*", "products:*")


async def test_an_order_is_placed_paid_and_taken_from_the_stock(ada: Caller, data: Data, clock: ManualClock) -> None:
    chair = await data.products.create({"sku": "CHAIR", "name": "Chair", "price_cents": 4900, "stock": 3})
    made = await ada.post(f"{API}/orders", json={"items": [{"productId": chair.id, "quantity": 2}]})
    assert (made.status, made.data["totalCents"]) == (201, 9800)
    address = f"{API}/orders/{made.data['id']}"
    clock.travel(minutes=5)
    assert (await ada.post(f"{address}/place")).data["status"] == "placed"
    assert (await data.products.get(chair.id)).stock == 1
    paid = await ada.post(f"{address}/pay")
    assert (paid.data["createdAt"], paid.data["updatedAt"]) == ("2026-01-01T12:00:00Z", "2026-01-01T12:05:00Z")
    assert (await ada.post(f"{address}/pay")).status == 409


async def test_nothing_is_left_of_other_tests(data: Data, admin: Caller) -> None:
    assert await data.users.count() == await data.products.count() == 0
    assert (await admin.get(f"{API}/users")).data == []


async def test_a_caller_keeps_its_token_fresh_and_one_token_expires(client: Client, clock: ManualClock) -> None:
    admin, token = client.as_("usr_admin", "users:read"), client.token("usr_admin", "users:read")
    clock.set(datetime(2031, 1, 1, tzinfo=UTC))
    assert (await admin.get(f"{API}/users")).status == 200
    assert (await client.get(f"{API}/users", token=token)).status == 401
    assert (await admin.get(f"{API}/users", token=token)).status == 401


async def test_callers_are_made_by_the_fixture_too(caller: Callable[..., Caller]) -> None:
    assert (await caller("usr_x").get(f"{API}/users")).status == 403
    assert (await caller("usr_x", "users:read").get(f"{API}/users")).status == 200


async def test_the_application_is_that_of_the_project(app: Sternpost, client: Client) -> None:
    assert app.plan.name == "shop"
    assert app.settings.env == "test"
    async with app.data(Data) as db:
        assert await db.orders.count() == 0
    assert (await client.get("/health/ready")).status == 200

"""Orders: from a draft to the door, and what that does to the stock."""

from __future__ import annotations

from typing import Any

import pytest
from calls import ORDERS, new_order, stock_of

from sternpost.testing import Caller

Lamp = dict[str, Any]


async def step(caller: Caller, order: dict[str, Any], name: str) -> tuple[int, Any]:
    """What comes of a transition: the status, and the state of the order or the code of the error."""
    answer = await caller.post(f"{ORDERS}/{order['id']}/{name}")
    return answer.status, answer.data["status"] if answer.status == 200 else answer.error["code"]


@pytest.mark.proves("orders.browse", "own-orders")
@pytest.mark.proves("orders.read", "hidden")
async def test_orders_of_others_do_not_exist(ada: Caller, bob: Caller, lamp: Lamp) -> None:
    order = await new_order(ada, (lamp, 1))
    assert [each["id"] for each in (await ada.get(ORDERS)).data] == [order["id"]]
    assert (await bob.get(ORDERS)).data == []
    assert (await bob.get(f"{ORDERS}/{order['id']}")).status == 404


@pytest.mark.proves("orders.create", "present-price", "known-products")
async def test_items_have_the_present_price(ada: Caller, lamp: Lamp) -> None:
    assert (await new_order(ada, (lamp, 3)))["totalCents"] == 3600
    unknown = {"items": [{"productId": "prd_" + "7" * 32, "quantity": 1}]}
    answer = await ada.post(ORDERS, json=unknown)
    assert (answer.status, answer.error["details"][0]["path"]) == (422, "items.0.productId")


@pytest.mark.proves("orders.replace", "all-items")
@pytest.mark.proves("orders.update", "drafts-only")
async def test_a_draft_can_be_changed(ada: Caller, lamp: Lamp) -> None:
    order = await new_order(ada, (lamp, 1))
    changed = {"items": [{"productId": lamp["id"], "quantity": 2}]}
    assert (await ada.put(f"{ORDERS}/{order['id']}", json=changed)).data["totalCents"] == 2400
    assert await step(ada, order, "place") == (200, "placed")
    assert (await ada.patch(f"{ORDERS}/{order['id']}", json=changed)).status == 409


@pytest.mark.proves("orders.place", "takes-stock")
@pytest.mark.proves("orders.cancel", "gives-back")
async def test_stock_goes_and_comes_back(ada: Caller, lamp: Lamp) -> None:
    order = await new_order(ada, (lamp, 2))
    assert await step(ada, order, "place") == (200, "placed")
    assert await stock_of(ada, lamp) == 3
    assert await step(ada, order, "cancel") == (200, "cancelled")
    assert await stock_of(ada, lamp) == 5


@pytest.mark.proves("orders.place", "enough-stock", "not-empty")
async def test_what_cannot_be_placed(ada: Caller, lamp: Lamp) -> None:
    assert await step(ada, await new_order(ada, (lamp, 6)), "place") == (422, "NOT_ENOUGH_STOCK")
    assert await stock_of(ada, lamp) == 5
    assert await step(ada, await new_order(ada), "place") == (422, "ORDER_EMPTY")


@pytest.mark.proves("orders.pay", "once")
@pytest.mark.proves("orders.ship", "paid-first")
async def test_paid_then_shipped(ada: Caller, shop: Caller, lamp: Lamp) -> None:
    order = await new_order(ada, (lamp, 1))
    assert (await step(ada, order, "pay"))[0] == 409
    await step(ada, order, "place")
    assert (await step(shop, order, "ship"))[0] == 409
    assert await step(ada, order, "pay") == (200, "paid")
    assert (await step(ada, order, "pay"))[0] == 409
    assert (await step(ada, order, "ship"))[0] == 403
    assert await step(shop, order, "ship") == (200, "shipped")


@pytest.mark.proves("orders.delete", "records-stay")
async def test_what_was_placed_is_not_deleted(ada: Caller, lamp: Lamp) -> None:
    order = await new_order(ada, (lamp, 1))
    await step(ada, order, "place")
    assert (await ada.delete(f"{ORDERS}/{order['id']}")).status == 409
    await step(ada, order, "cancel")
    assert (await ada.delete(f"{ORDERS}/{order['id']}")).status == 204

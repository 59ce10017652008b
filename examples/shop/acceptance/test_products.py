"""Products: what there is to buy."""

from __future__ import annotations

from typing import Any

import pytest
from calls import PRODUCTS, new_order, new_product

from sternpost.testing import Caller, Client


@pytest.mark.proves("products.browse", "cheapest-first")
@pytest.mark.proves("products.read", "for-all")
async def test_anybody_sees_products(client: Client, shop: Caller, lamp: dict[str, Any]) -> None:
    cheap = await new_product(shop, priceCents=5)
    listed = (await client.get(f"{PRODUCTS}?sort=priceCents")).data
    assert [each["id"] for each in listed] == [cheap["id"], lamp["id"]]
    assert (await client.get(f"{PRODUCTS}/{lamp['id']}")).data["stock"] == 5


@pytest.mark.proves("products.create", "sku-once")
async def test_a_stock_keeping_unit_is_taken(shop: Caller, ada: Caller, lamp: dict[str, Any]) -> None:
    again = {"sku": lamp["sku"], "name": "Chair", "priceCents": 1}
    assert (await shop.post(PRODUCTS, json=again)).status == 409
    assert (await ada.post(PRODUCTS, json=again)).status == 403


@pytest.mark.proves("products.replace", "whole")
@pytest.mark.proves("products.update", "part")
async def test_what_is_left_out(shop: Caller, lamp: dict[str, Any]) -> None:
    one = f"{PRODUCTS}/{lamp['id']}"
    assert (await shop.patch(one, json={"name": "Big lamp"})).data["stock"] == 5
    answer = await shop.put(one, json={"sku": lamp["sku"], "name": "Lamp", "priceCents": 1})
    assert (answer.data["stock"], answer.data["priceCents"]) == (0, 1)


@pytest.mark.proves("products.delete", "kept-in-orders")
async def test_what_was_ordered_stays(shop: Caller, ada: Caller, lamp: dict[str, Any]) -> None:
    other = await new_product(shop)
    await new_order(ada, (lamp, 1))
    assert (await shop.delete(f"{PRODUCTS}/{lamp['id']}")).status == 409
    assert (await shop.delete(f"{PRODUCTS}/{other['id']}")).status == 204

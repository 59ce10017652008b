"""What the tests of the shop call again and again."""

from __future__ import annotations

import itertools
from typing import Any

from sternpost.testing import Caller, Client

USERS, PRODUCTS, ORDERS = "/api/v1/users", "/api/v1/products", "/api/v1/orders"
_NUMBERS = itertools.count(1)


async def sign_up(client: Client, name: str) -> Caller:
    """A new user, as who calls."""
    answer = await client.post(USERS, json={"name": name, "email": f"{name.lower()}@shop.example"})
    assert answer.status == 201, answer.content
    return client.as_(answer.data["id"])


async def new_product(shop: Caller, **values: Any) -> dict[str, Any]:
    """A product that is new."""
    body = {"sku": f"SKU-{next(_NUMBERS)}", "name": "Lamp", "priceCents": 100, **values}
    answer = await shop.post(PRODUCTS, json=body)
    assert answer.status == 201, answer.content
    return answer.data


async def new_order(caller: Caller, *items: tuple[dict[str, Any], int]) -> dict[str, Any]:
    """A draft of an order for products, each with a quantity."""
    body = {"items": [{"productId": product["id"], "quantity": quantity} for product, quantity in items]}
    answer = await caller.post(ORDERS, json=body)
    assert answer.status == 201, answer.content
    return answer.data


async def stock_of(caller: Caller, product: dict[str, Any]) -> int:
    """How many there are of a product now."""
    return (await caller.get(f"{PRODUCTS}/{product['id']}")).data["stock"]

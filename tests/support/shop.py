"""Short words for what tests of the shop do all the time."""

from __future__ import annotations

import itertools
from typing import Any

from sternpost.testing import Client

ADMIN = ("users:admin", "orders:admin", "products:write")


class Shop:
    """Makes users, products and orders over HTTP, and the tokens that go with them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.admin = client.token("admin", *ADMIN)
        self._numbers = itertools.count(1)

    async def user(self, **values: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = await self.client.post(
            "/api/v1/users", json={"name": f"User {number}", "email": f"user{number}@shop.example", **values}
        )
        assert answer.status == 201, answer.content
        return answer.data

    async def product(self, **values: Any) -> dict[str, Any]:
        number = next(self._numbers)
        body = {"sku": f"SKU-{number}", "name": f"Product {number}", "priceCents": 1000, "stock": 10, **values}
        answer = await self.client.post("/api/v1/products", json=body, token=self.admin)
        assert answer.status == 201, answer.content
        return answer.data

    async def order(self, user: dict[str, Any], *items: tuple[dict[str, Any], int]) -> dict[str, Any]:
        body = {"items": [{"productId": product["id"], "quantity": quantity} for product, quantity in items]}
        answer = await self.client.post("/api/v1/orders", json=body, token=self.token(user))
        assert answer.status == 201, answer.content
        return answer.data

    def token(self, user: dict[str, Any], *scopes: str) -> str:
        return self.client.token(user["id"], *scopes)

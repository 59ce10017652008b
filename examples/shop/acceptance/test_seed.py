"""The sample data."""

from __future__ import annotations

from shop.data import Data
from shop.seed import ORDERS, PRODUCTS, USERS, seed

from sternpost.testing import Client


async def test_twice_leaves_the_same_rows(client: Client, data: Data) -> None:
    for _ in range(2):
        await seed(data)
        counts = [await data.users.count(), await data.products.count(), await data.orders.count()]
        assert counts == [USERS, PRODUCTS, ORDERS]

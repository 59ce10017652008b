"""What the tests of the shop share: who calls, and something to buy."""

from __future__ import annotations

from typing import Any

import pytest
from calls import new_product, sign_up

from sternpost.testing import Caller, Client


@pytest.fixture
def shop(client: Client) -> Caller:
    """Who runs the shop."""
    return client.as_("shop", "users:admin", "orders:admin", "products:write")


@pytest.fixture
async def ada(client: Client) -> Caller:
    """A user."""
    return await sign_up(client, "Ada")


@pytest.fixture
async def bob(client: Client) -> Caller:
    """Another one."""
    return await sign_up(client, "Bob")


@pytest.fixture
async def lamp(shop: Caller) -> dict[str, Any]:
    """A product, of which there are five."""
    return await new_product(shop, stock=5, priceCents=1200)

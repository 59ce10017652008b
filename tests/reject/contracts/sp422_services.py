"""Services that are none."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


async def create_user(ctx, change):
    """Creates a user."""


contract = Contract("shop", resources=[User])
services = [create_user, "shop.services"]

"""Implementations of what is not in the contract."""

from __future__ import annotations

from sternpost import Contract, Create, Resource, implements, public


class User(Resource, prefix="usr"):
    name: str

    create = Create(allow=public)


class Order(Resource, prefix="ord"):
    note: str

    create = Create(allow=public)


@implements(Order.create)
async def create_order(ctx, change):
    """Creates an order."""


@implements("User.create")
async def create_user(ctx, change):
    """Creates a user."""


@implements()
async def nothing(ctx, change):
    """Creates nothing."""


contract = Contract("shop", resources=[User])
services = [create_order, create_user, nothing]

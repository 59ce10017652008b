"""A custom operation at the address of a list that is inherited."""

from __future__ import annotations

from sternpost import Contract, Custom, Many, One, Resource, authenticated, implements


class Named(Resource, abstract=True):
    name: str

    orders = Custom(method="GET", allow=authenticated)


class User(Named, prefix="usr"):
    purchases: Many[Order]


class Order(Resource, prefix="ord"):
    user: One[User]


@implements(User.orders)
async def orders(ctx, user):
    """Lists orders."""


contract = Contract("shop", resources=[User, Order])
services = [orders]

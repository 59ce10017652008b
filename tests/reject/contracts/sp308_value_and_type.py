"""Values of one kind under types of another."""

from __future__ import annotations

from sternpost import Contract, Many, One, Resource, field, many, one


class User(Resource, prefix="usr"):
    name: str = one()
    orders: Many[Order] = one()


class Order(Resource, prefix="ord"):
    user: One[User] = many()
    payer: One[User] = field(filter=True)


contract = Contract("shop", resources=[User, Order])

"""A reference that may not be null, and is to become null."""

from __future__ import annotations

from sternpost import Contract, One, Resource, one


class User(Resource, prefix="usr"):
    name: str


class Order(Resource, prefix="ord"):
    user: One[User] = one(
        write="create",
        on_delete="set_null",
    )


contract = Contract("shop", resources=[User, Order])

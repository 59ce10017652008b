"""A field that nobody ever sets."""

from __future__ import annotations

from sternpost import Contract, Create, One, Resource, authenticated, field, one


class User(Resource, prefix="usr"):
    name: str


class Order(Resource, prefix="ord"):
    note: str
    number: int = field(write="never")
    user: One[User] = one(write="never")

    create = Create(allow=authenticated)


contract = Contract("shop", resources=[User, Order])

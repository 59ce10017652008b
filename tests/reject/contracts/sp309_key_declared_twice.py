"""A foreign key that is also declared by hand."""

from __future__ import annotations

from sternpost import Contract, One, Resource


class User(Resource, prefix="usr"):
    name: str


class Order(Resource, prefix="ord"):
    user_id: str
    user: One[User]


contract = Contract("shop", resources=[User, Order])

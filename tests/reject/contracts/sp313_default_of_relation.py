"""Defaults of relations that are neither the caller nor nothing."""

from __future__ import annotations

from sternpost import Contract, One, Resource, one


class User(Resource, prefix="usr"):
    name: str


class Order(Resource, prefix="ord"):
    user: One[User] = one(default="usr_1")
    payer: One[User] = one(default=None)


contract = Contract("shop", resources=[User, Order])

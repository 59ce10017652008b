"""Id prefixes that are too long, or not even text."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="User_1"):
    name: str


class Order(Resource, prefix=7):
    note: str


contract = Contract("shop", resources=[User, Order])

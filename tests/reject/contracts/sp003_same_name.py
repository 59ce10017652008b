"""Two classes of one name, as two modules might bring them."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


Customer = User


class User(Resource, prefix="own"):
    name: str


contract = Contract("shop", resources=[Customer, User])

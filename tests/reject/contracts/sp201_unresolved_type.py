"""Types that nobody imported."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str
    born: Date
    address: strr


contract = Contract("shop", resources=[User])

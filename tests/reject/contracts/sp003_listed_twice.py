"""A resource that is listed twice."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract("shop", resources=[User, User])

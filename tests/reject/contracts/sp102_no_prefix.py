"""A resource without an id prefix."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource):
    name: str


contract = Contract("shop", resources=[User])

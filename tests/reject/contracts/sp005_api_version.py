"""An API version that would make a strange address."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract("shop", resources=[User], api_version="1.0")

"""A resource where a list of resources belongs."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract("shop", resources=User)

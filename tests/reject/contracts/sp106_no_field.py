"""A resource that holds nothing."""

from __future__ import annotations

from sternpost import Browse, Contract, Resource, public


class User(Resource, prefix="usr"):
    browse = Browse(allow=public)


contract = Contract("shop", resources=[User])

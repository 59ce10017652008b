"""Two ways to list the same."""

from __future__ import annotations

from sternpost import Browse, Contract, Resource, authenticated, public


class User(Resource, prefix="usr"):
    name: str

    browse = Browse(allow=public)
    search = Browse(allow=authenticated)


contract = Contract("shop", resources=[User])

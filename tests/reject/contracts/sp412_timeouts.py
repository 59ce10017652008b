"""Time limits that are none."""

from __future__ import annotations

from sternpost import Browse, Contract, Create, Read, Resource, public


class User(Resource, prefix="usr"):
    name: str

    browse = Browse(timeout=0, allow=public)
    read = Read(timeout="5s", allow=public)
    create = Create(timeout=float("inf"), allow=public)


contract = Contract("shop", resources=[User])

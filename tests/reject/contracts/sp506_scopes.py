"""Scopes that no token could carry."""

from __future__ import annotations

from sternpost import Browse, Contract, Delete, Read, Resource, field, scope


class User(Resource, prefix="usr"):
    name: str = field(read="two words")

    browse = Browse(allow=scope("users read"))
    read = Read(allow=scope(3))
    delete = Delete(allow=scope(""))


contract = Contract("shop", resources=[User])

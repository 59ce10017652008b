"""Policies that ask for the owner of what has none."""

from __future__ import annotations

from sternpost import Browse, Contract, One, Read, Resource, this


class User(Resource, prefix="usr"):
    name: str


class Order(Resource, prefix="ord"):
    user: One[User]

    browse = Browse(allow=this.is_owner)
    read = Read(allow=this.user.is_owner)


contract = Contract("shop", resources=[User, Order])

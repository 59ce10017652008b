"""Policies that go through a plain value."""

from __future__ import annotations

from sternpost import Browse, Contract, One, Read, Resource, this


class User(Resource, prefix="usr", owner="id"):
    name: str


class Order(Resource, prefix="ord"):
    user: One[User]

    browse = Browse(allow=this.user_id.is_owner)
    read = Read(allow=this.user.name.is_owner)


contract = Contract("shop", resources=[User, Order])

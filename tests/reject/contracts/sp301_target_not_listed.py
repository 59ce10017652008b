"""A relation to a resource that the contract does not list, which a policy follows."""

from __future__ import annotations

from sternpost import Browse, Contract, One, Resource, this


class User(Resource, prefix="usr", owner="id"):
    name: str


class Order(Resource, prefix="ord"):
    user: One[User]

    browse = Browse(allow=this.user.is_owner)


contract = Contract("shop", resources=[Order])

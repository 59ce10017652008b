"""Policies that speak of fields which do not exist."""

from __future__ import annotations

from sternpost import Browse, Contract, Delete, One, Read, Resource, this


class User(Resource, prefix="usr", owner="id"):
    name: str


class Order(Resource, prefix="ord"):
    user: One[User]

    browse = Browse(allow=this.state.eq("open"))
    read = Read(allow=this.buyer.is_owner)
    delete = Delete(allow=this.user.age.gt(17))


contract = Contract("shop", resources=[User, Order])

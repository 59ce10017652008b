"""Things joined with policies that are none."""

from __future__ import annotations

from sternpost import Browse, Contract, Delete, Read, Resource, authenticated, this


class Order(Resource, prefix="ord", owner="buyer"):
    buyer: str

    browse = Browse(allow=this.is_owner | "orders:read")
    read = Read(allow=True & authenticated)
    delete = Delete(allow=authenticated & this)


contract = Contract("shop", resources=[Order])

"""Policies joined by Python's own words."""

from __future__ import annotations

from typing import Literal

from sternpost import Browse, Contract, Delete, Read, Resource, authenticated, field, scope, this


class Order(Resource, prefix="ord", owner="buyer"):
    buyer: str
    status: Literal["draft", "paid"] = field(default="draft", write="never")

    browse = Browse(allow=this.is_owner or scope("orders:read"))
    read = Read(allow=authenticated and this.is_owner)
    delete = Delete(
        allow=this.is_owner
        and not this.status.eq("paid"),
    )


contract = Contract("shop", resources=[Order])

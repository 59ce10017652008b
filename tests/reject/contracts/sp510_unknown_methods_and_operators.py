"""Methods and operators that values of rows, and policies, do not have."""

from __future__ import annotations

from sternpost import Browse, Contract, Create, Custom, Delete, One, Payload, Read, Replace, Resource, Update, authenticated, public, this


class Order(Resource, prefix="ord", owner="buyer"):
    buyer: str
    status: str
    total: int
    paid: bool
    parent: One[Order] | None

    browse = Browse(allow=this.status.in_(("draft", "paid")))
    read = Read(allow=this.status == "draft")
    create = Create(allow=this.total > 5)
    replace = Replace(allow=this.is_owner | (this.total + 1).eq(2))
    update = Update(allow=this.buyer.startswith("a") & this.is_owner())
    delete = Delete(allow=this["status"].eq("draft"))
    a = Custom(method="GET", allow=public())
    b = Custom(method="GET", allow=authenticated.eq(True))
    c = Custom(method="GET", allow=this.parent.is_owner.eq(True) | ~this.parent.total.between(1, 2))
    d = Custom(method="GET", allow=-this.total)
    e = Custom(method="GET", allow=this.paid)
    f = Custom(method="GET", allow=this.paid & ~this.paid)
    g = Custom(method="GET", allow=this.paid and public)
    h = Custom(method="GET", allow=this.status in ("draft", "paid"))
    i = Custom(method="GET", allow="draft" in this.status)
    j = Custom(method="GET", allow=not this.paid)
    k = Custom(method="GET", allow=1 < this.total < 3)


contract = Contract("orders", resources=[Order])

"""Comparisons with other values, with several and with null that can never hold or be made."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal

from sternpost import Browse, Contract, Delete, Email, One, Read, Replace, Resource, Transition, Update, field, now, this


class User(Resource, prefix="usr", owner="id"):
    name: str
    email: Email = field(unique=True)

    read = Read(allow=this.name.eq(this.email))


class Order(Resource, prefix="ord", owner="buyer_id"):
    buyer: One[User]
    seller: One[User] | None
    parent: One[Order] | None
    status: Literal["draft", "paid"] = field(default="draft", write="never")
    total: Decimal = field(decimal_places=2)
    rate: Decimal = field(decimal_places=4)
    seen_at: datetime | None

    browse = Browse(allow=this.status.in_("draft", "payed"))
    read = Read(allow=this.status.in_())
    update = Update(allow=this.status.in_("draft", "draft") | this.buyer.eq(this.parent))
    replace = Replace(allow=this.status.is_null | this.buyer.is_null | this.buyer.in_("usr_1"))
    delete = Delete(allow=this.total.gt(this.rate) | this.total.gt(this.total) | this.buyer.gt(this.seller))
    close = Transition("status", source="paid", target="draft", allow=this.total.lt(now()) | this.seen_at.in_(now()))
    pay = Transition("status", source="draft", target="paid", allow=this.total.lt(this) | this.total.gt(this.price))


contract = Contract("shop", resources=[User, Order])

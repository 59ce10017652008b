"""One evening's contract: a bit of everything, all told at once and in the order of the lines."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from sternpost import Browse, Contract, Custom, Many, One, Read, Resource, Transition, authenticated, field, many, one, scope, this


class Customer(Resource, prefix="C", owner="uid"):
    firstName: str
    email: Emial
    credit: Decimal = field(ge=0)
    orders: Many[Order] = many(by="buyer")

    browse = Browse(sort=["surname"], page_size=5000, allow=scope("customers read"))
    read = Read()


class Order(Resource, prefix="ord", owner="customer_id", colour="red"):
    customer: One[Customer] = one(on_delete="set_null")
    status: Literal["draft", "paid"] = field(default="new")
    total: int = field(ge=10, le=1)

    browse = Browse(allow=this.is_owner or scope("orders:read"))
    pay = Transition("status", source="draft", target="payed", allow=authenticated)
    remind = Custom(allow=authenticated)


contract = Contract("Shop", resources=[Customer, Order], api_version="one")

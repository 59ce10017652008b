"""Events that no operation can emit."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from sternpost import Browse, Contract, Create, Custom, Delete, Read, Replace, Resource, Transition, Update, field, public


class Order(Resource, prefix="ord"):
    status: Literal["placed", "paid"] = field(default="placed", write="never")

    browse = Browse(allow=public, emits="orders.listed")
    read = Read(allow=public, emits=["order.read"])
    create = Create(allow=public, emits=7)
    replace = Replace(allow=public, emits="replaced")
    update = Update(allow=public, emits=["order.Updated", "order.updated ", "x" * 101 + ".y"])
    delete = Delete(allow=public, emits=["order.deleted", "order.gone", "order.deleted"])
    pay = Transition("status", source="placed", target="paid", allow=public, emits=[None])
    count = Custom(method="GET", on="collection", output=None, allow=public, emits="order.counted")


contract = Contract("shop", resources=[Order], keep_events=timedelta(seconds=1))

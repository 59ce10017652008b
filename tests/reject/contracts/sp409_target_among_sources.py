"""A transition that starts where it ends."""

from __future__ import annotations

from typing import Literal

from sternpost import Contract, Resource, Transition, authenticated, field


class Order(Resource, prefix="ord"):
    status: Literal["draft", "paid"] = field(default="draft", write="never")

    pay = Transition("status", source=["draft", "paid"], target="paid", allow=authenticated)


contract = Contract("shop", resources=[Order])

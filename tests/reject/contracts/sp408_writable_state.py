"""A state that clients can set past its transitions."""

from __future__ import annotations

from typing import Literal

from sternpost import Contract, Resource, Transition, authenticated, field


class Order(Resource, prefix="ord"):
    status: Literal["draft", "paid"] = field(default="draft")

    pay = Transition("status", source="draft", target="paid", allow=authenticated)


contract = Contract("shop", resources=[Order])

"""Transitions between states that do not exist."""

from __future__ import annotations

from typing import Literal

from sternpost import Contract, Resource, Transition, authenticated, field


class Order(Resource, prefix="ord"):
    status: Literal["draft", "placed", "paid"] = field(default="draft", write="never")

    place = Transition("status", source="new", target="placed", allow=authenticated)
    pay = Transition(
        "status",
        source=["placed", 5],
        target="payed",
        allow=authenticated,
    )
    cancel = Transition("status", source=[], target="draft", allow=authenticated)


contract = Contract("shop", resources=[Order])

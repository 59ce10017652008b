"""Transitions of fields that are no states."""

from __future__ import annotations

from typing import Literal

from sternpost import Contract, Resource, Transition, authenticated, field


class Order(Resource, prefix="ord"):
    note: str
    status: Literal["draft", "paid"] = field(default="draft", write="never")

    pay = Transition("note", source="draft", target="paid", allow=authenticated)
    ship = Transition(["status"], source="paid", target="shipped", allow=authenticated)


class Note(Resource, prefix="not"):
    text: str

    publish = Transition("status", source="draft", target="public", allow=authenticated)


contract = Contract("shop", resources=[Order, Note])

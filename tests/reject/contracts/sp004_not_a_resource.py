"""Things in resources that are none."""

from __future__ import annotations

from sternpost import Contract, Payload, Resource


class Money(Payload):
    amount: int


class Timed(Resource, abstract=True):
    name: str


class User(Resource, prefix="usr"):
    name: str


contract = Contract(
    "shop",
    resources=[
        User,
        Money,
        Timed,
        "Order",
    ],
)

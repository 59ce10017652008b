"""Objects of a union that nothing tells apart, or too much."""

from __future__ import annotations

from typing import Literal

from sternpost import Contract, Create, Payload, Resource, public


class Card(Payload):
    number: str


class Transfer(Payload):
    kind: Literal["transfer"]
    iban: str


class Cash(Payload):
    kind: Literal["transfer"]
    currency: str


class Cheque(Payload):
    kind: Literal["cheque"]
    form: Literal["paper"]


class Token(Payload):
    kind: Literal["token"]
    form: Literal["digital"]


class Order(Resource, prefix="ord"):
    one: Card | Transfer
    two: Transfer | Cash | None
    three: list[Cheque | Token]

    create = Create(allow=public)


contract = Contract("orders", resources=[Order])

"""Filters of a list that lead into what is no object of one kind, or end at what cannot be compared."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from sternpost import Browse, Contract, Json, One, Payload, Resource, field, public


class Geo(Payload):
    country: str = field(filter=True)
    tags: list[str] = field(default=[], filter=True)
    spans: dict[str, int] = field(default={})
    raw: bytes
    free: Json


class Address(Payload):
    city: str = field(filter=True)
    street: str
    geo: Geo


class Card(Payload):
    kind: Literal["card"] = field(default="card")
    number: str = field(filter=True)


class Cash(Payload):
    kind: Literal["cash"] = field(default="cash")


class Plain(Payload):
    text: str


class Owner(Resource, prefix="own"):
    home: Address


class Shop(Resource, prefix="sho"):
    name: str
    address: Address
    plain: Plain
    payment: Card | Cash
    addresses: list[Address] = field(default=[])
    named: dict[str, Address] = field(default={})
    anything: dict[str, Any]
    owner: One[Owner]

    browse = Browse(
        allow=public,
        filter=[
            "address.geo",
            "address.street",
            "address.town",
            "address.geo.tags",
            "address.geo.spans.x",
            "address.geo.raw",
            "address.geo.free.x",
            "plain.text",
            "payment.number",
            "addresses.city",
            "named.home.city",
            "anything.x",
            "name.length",
            "owner.home",
            "owner.home.geo.town",
            "address.city",
            "address.city",
        ],
    )


contract = Contract("shops", resources=[Owner, Shop])

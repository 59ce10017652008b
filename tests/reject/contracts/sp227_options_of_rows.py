"""Options that only fields of a resource can have, in a Payload; and a default that no database has."""

from __future__ import annotations

from sternpost import Contract, Create, One, Payload, Resource, field, one, public


class Card(Payload):
    number: str = field(unique=True, sensitive=True)
    holder: str = field(read="cards", write="never")
    kept: str = field(column="k", filter=True)


class Order(Resource, prefix="ord"):
    card: Card
    number: int = field(auto="database")
    before: One[Order] | None = one(auto="database")

    create = Create(allow=public)


contract = Contract("orders", resources=[Order])

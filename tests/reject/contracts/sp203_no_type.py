"""A field and a relation without a type."""

from __future__ import annotations

from sternpost import Contract, Resource, field, many


class Order(Resource, prefix="ord"):
    number: int
    note = field(max_length=200)
    items = many()


contract = Contract("shop", resources=[Order])

"""Lengths and digits that are not numbers of the right size."""

from __future__ import annotations

from decimal import Decimal

from sternpost import Contract, Resource, field


class Product(Resource, prefix="prd"):
    name: str = field(min_length=-1, max_length=0)
    sku: str = field(max_length="20")
    note: str = field(max_length=True)
    price: Decimal = field(decimal_places="2")


contract = Contract("shop", resources=[Product])

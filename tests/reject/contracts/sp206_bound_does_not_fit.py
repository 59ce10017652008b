"""Bounds of another type than the field's."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from sternpost import Contract, Resource, field


class Product(Resource, prefix="prd"):
    stock: int = field(ge="zero", le=2**70)
    sold_from: datetime = field(ge=datetime(2026, 1, 1))
    sold_on: date = field(le="2026-01-01")
    price: Decimal = field(decimal_places=2, ge=0.5)


contract = Contract("shop", resources=[Product])

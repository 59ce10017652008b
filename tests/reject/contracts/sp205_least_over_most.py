"""Bounds the wrong way round."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from sternpost import Contract, Email, Resource, field


class Product(Resource, prefix="prd"):
    name: str = field(min_length=20, max_length=10)
    email: Email = field(min_length=300)
    stock: int = field(
        ge=100,
        le=10,
    )
    price: Decimal = field(decimal_places=4, max_digits=3)
    discount: Decimal = field(decimal_places=2, ge=Decimal("1E+2"), le=Decimal("9"))
    sold_from: datetime = field(
        ge=datetime(2026, 1, 2, tzinfo=UTC),
        le=datetime(2026, 1, 1, tzinfo=UTC),
    )


contract = Contract("shop", resources=[Product])

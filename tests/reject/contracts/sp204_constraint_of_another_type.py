"""Constraints on types that they do not apply to."""

from __future__ import annotations

from sternpost import Contract, Resource, field


class Product(Resource, prefix="prd"):
    name: str = field(ge=1)
    stock: int = field(
        max_length=10,
        decimal_places=2,
    )
    listed: bool = field(pattern="^yes$")


contract = Contract("shop", resources=[Product])

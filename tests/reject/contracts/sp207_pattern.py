"""Patterns that are none, or that only Python understands."""

from __future__ import annotations

from sternpost import Contract, Resource, field


class Product(Resource, prefix="prd"):
    sku: str = field(pattern="^[A-Z")
    code: str = field(pattern=r"^(?!X)[A-Z]+$")
    twice: str = field(pattern=r"^(.)\1$")
    name: str = field(pattern=5)


contract = Contract("shop", resources=[Product])

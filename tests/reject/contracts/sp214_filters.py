"""Filters that do not exist, or not for the type."""

from __future__ import annotations

from sternpost import Contract, Json, Resource, field


class Product(Resource, prefix="prd"):
    name: str = field(filter=["eq", "like"])
    stock: int = field(filter=["contains"])
    listed: bool | None = field(filter=["gt"])
    extra: Json = field(filter=True)
    sku: str = field(filter="eq")
    price: int = field(filter=[1, 2])


contract = Contract("shop", resources=[Product])

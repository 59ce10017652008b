"""Defaults that the field itself would refuse."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal
from uuid import UUID

from sternpost import Contract, Json, Resource, field


class Product(Resource, prefix="prd"):
    name: str = field(default=5)
    sku: str = field(default="a b", pattern="^[a-z]+$")
    stock: int = field(ge=0, default=-1)
    price: Decimal = field(decimal_places=2, default=Decimal("1.005"))
    weight: float = field(default=float("nan"))
    status: Literal["draft", "listed"] = field(default="sold", write="always")
    note: str = field(default=None)
    listed: bool = field(default="yes")
    code: UUID = field(default="seven")
    extra: Json = field(default={1, 2})


contract = Contract("shop", resources=[Product])

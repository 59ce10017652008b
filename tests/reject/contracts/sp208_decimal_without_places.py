"""A Decimal that does not say how exact it is."""

from __future__ import annotations

from decimal import Decimal

from sternpost import Contract, Resource, field


class Product(Resource, prefix="prd"):
    price: Decimal
    discount: Decimal = field(ge=0)


contract = Contract("shop", resources=[Product])

"""Names that mean something else already."""

from __future__ import annotations

from sternpost import Contract, Resource


class Product(Resource, prefix="prd"):
    meta: str
    _secret: str
    is_owner: bool


contract = Contract("shop", resources=[Product])

"""Names that mean something else already."""

from __future__ import annotations

from sternpost import Contract, Resource, field


class Product(Resource, prefix="prd"):
    meta: str
    _secret: str
    is_owner: bool
    count: int
    limit: int = field(filter=True)


contract = Contract("shop", resources=[Product])

"""Names that become one in JSON."""

from __future__ import annotations

from sternpost import Contract, Many, Resource, many


class Tag(Resource, prefix="tag"):
    name: str
    products: Many[Product] = many(through="product_tags")


class Product(Resource, prefix="prd"):
    line_1: str
    line1: str
    tag_ids: str
    tags: Many[Tag] = many(through="product_tags")


contract = Contract("shop", resources=[Tag, Product])

"""Two resources with the same id prefix."""

from __future__ import annotations

from sternpost import Contract, Resource


class Product(Resource, prefix="pro"):
    name: str


class Profile(Resource, prefix="pro"):
    name: str


contract = Contract("shop", resources=[Product, Profile])

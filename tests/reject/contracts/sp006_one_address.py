"""Two resources whose names have the same plural."""

from __future__ import annotations

from sternpost import Contract, Resource


class Category(Resource, prefix="cat"):
    name: str


class Group(Resource, prefix="grp", plural="categories"):
    name: str


contract = Contract("shop", resources=[Category, Group])

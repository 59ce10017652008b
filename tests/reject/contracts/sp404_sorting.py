"""Sorts by what is unknown, hidden, or a single text."""

from __future__ import annotations

from sternpost import Browse, Contract, Json, Resource, field, public


class User(Resource, prefix="usr"):
    name: str
    salary: int = field(read="salaries:read")
    extra: Json

    browse = Browse(
        sort=["name", "age", "salary", "extra"],
        default_sort=["-joined"],
        allow=public,
    )


class Order(Resource, prefix="ord"):
    name: str

    browse = Browse(sort="name", default_sort=[5], allow=public)


contract = Contract("shop", resources=[User, Order])

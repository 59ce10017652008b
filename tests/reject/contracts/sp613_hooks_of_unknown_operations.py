"""Hooks of operations that are not there."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, after_validation, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


async def count(call):
    """Counts."""


hooks = [
    after_validation(count, "orders.create"),
    after_validation(count, Read(allow=public)),
]

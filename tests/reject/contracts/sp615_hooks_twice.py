"""The same hook, twice at one place."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, after_commit, after_validation, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


async def tell(call):
    """Tells somebody."""


hooks = [
    after_commit(tell),
    after_validation(tell),
    after_commit(tell, Order.create),
]

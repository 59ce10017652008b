"""A hook after the commit of what only reads."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, after_commit, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


async def tell(call):
    """Tells somebody."""


hooks = [after_commit(tell, Order.read)]

"""Functions that ask for the request, or the response, by itself."""

from __future__ import annotations

from sternpost import Change, Context, Contract, Create, Read, Replace, Request, Resource, Response, implements, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)
    replace = Replace(allow=public)


contract = Contract("shop", resources=[Order])


@implements(Order.create)
async def create(request: Request, change: Change[Order]) -> Order:
    return await change.apply()


@implements(Order.replace)
async def replace(ctx: Context, change: Change[Order], *, response: Response) -> Order:
    return await change.apply()


services = [create, replace]

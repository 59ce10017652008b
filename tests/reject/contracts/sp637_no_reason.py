"""Findings that are allowed, and nobody says why."""

from __future__ import annotations

from sternpost import Change, Context, Contract, Create, Read, Resource, implements, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])

SEEN = {}  # sternpost: allow[state]


@implements(Order.create)
async def create(ctx: Context, change: Change[Order]) -> Order:
    try:
        change["note"] = "x"
    except KeyError:
        pass  # sternpost: allow[swallowed] ok
    # sternpost: allow[everything] because it is simpler
    return await change.apply()


services = [create]

"""A function in place of a list of them."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


async def prepare() -> None:
    """Prepares."""


on_start = prepare

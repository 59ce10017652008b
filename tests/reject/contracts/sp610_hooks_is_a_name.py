"""A text in place of the hooks."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])

hooks = "shop.hooks"

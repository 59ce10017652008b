"""A field of an item that nobody could ever set: not the client, and no function of its owner's."""

from __future__ import annotations

from sternpost import Contract, Create, One, Owned, Resource, field, public


class Order(Resource, prefix="ord"):
    name: str
    items: Owned[Item]

    create = Create(allow=public)


class Item(Resource, prefix="itm"):
    order: One[Order]
    price: int = field(write="never")


contract = Contract("orders", resources=[Order, Item])

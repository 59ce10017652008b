"""Items whose order only some may see, in a list of that order."""

from __future__ import annotations

from sternpost import Contract, One, Owned, Read, Resource, authenticated, one


class Order(Resource, prefix="ord"):
    items: Owned[Item]

    read = Read(allow=authenticated)


class Item(Resource, prefix="itm"):
    order: One[Order] = one(read="orders:admin")
    quantity: int


contract = Contract("shop", resources=[Order, Item])

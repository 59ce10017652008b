"""Items of an order that also have addresses of their own."""

from __future__ import annotations

from sternpost import Contract, Delete, One, Owned, Resource, authenticated


class Order(Resource, prefix="ord"):
    items: Owned[Item]


class Item(Resource, prefix="itm"):
    order: One[Order]
    quantity: int

    delete = Delete(allow=authenticated)


contract = Contract("shop", resources=[Order, Item])

"""Lists whose bounds leave nothing, or everything."""

from __future__ import annotations

from sternpost import Contract, Many, One, Owned, Resource, many


class User(Resource, prefix="usr"):
    name: str
    orders: Many[Order] = many(max_length=100_000)
    notes: Many[Note] = many(max_length="3")


class Order(Resource, prefix="ord"):
    user: One[User]
    items: Owned[Item] = many(min_length=5, max_length=2)


class Item(Resource, prefix="itm"):
    order: One[Order]


class Note(Resource, prefix="not"):
    user: One[User]


contract = Contract("shop", resources=[User, Order, Item, Note])

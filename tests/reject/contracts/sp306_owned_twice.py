"""Items that are part of two things."""

from __future__ import annotations

from sternpost import Contract, One, Owned, Resource


class Order(Resource, prefix="ord"):
    items: Owned[Item]


class Cart(Resource, prefix="crt"):
    items: Owned[Item]


class Item(Resource, prefix="itm"):
    order: One[Order] | None
    cart: One[Cart] | None
    quantity: int


contract = Contract("shop", resources=[Order, Cart, Item])

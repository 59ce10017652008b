"""Totals over what is not there."""

from __future__ import annotations

from sternpost import Contract, One, Owned, Resource, computed, field, sum_of


class Order(Resource, prefix="ord"):
    items: Owned[Item]
    total: int = computed(sum_of("lines", "quantity"))
    amount: int = computed(sum_of("items", "quantity", "price"))
    label: str = computed(sum_of("items", "quantity"))
    weight: int = computed(5)
    secret: int = computed(sum_of("items", "quantity", "margin"))
    known: int = computed(sum_of("items", "margin"), read="buying")
    sold: int = computed(sum_of("items", "margin"), read="sales")


class Item(Resource, prefix="itm"):
    order: One[Order]
    quantity: int
    margin: int = field(read="buying")
    name: str


class Note(Resource, prefix="not"):
    length: int = computed(sum_of("words"))


contract = Contract("shop", resources=[Order, Item, Note])

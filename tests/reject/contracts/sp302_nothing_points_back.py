"""Lists of rows that do not know whom they belong to."""

from __future__ import annotations

from sternpost import Contract, Many, Owned, Resource


class User(Resource, prefix="usr"):
    name: str
    orders: Many[Order]
    addresses: Owned[Address]


class Order(Resource, prefix="ord"):
    note: str


class Address(Resource, prefix="adr"):
    street: str


contract = Contract("shop", resources=[User, Order, Address])

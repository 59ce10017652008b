"""A plural and a table that cannot be names."""

from __future__ import annotations

from sternpost import Contract, Resource


class Person(Resource, prefix="per", plural="All People"):
    name: str


class Order(Resource, prefix="ord", table="shop.orders"):
    note: str


class Note(Resource, prefix="not", table=None):
    text: str


contract = Contract("shop", resources=[Person, Order, Note])

"""Class names that do not survive the way to an address."""

from __future__ import annotations

from sternpost import Contract, Resource


class Größe(Resource, prefix="gro"):
    name: str


class order_item(Resource, prefix="itm"):
    quantity: int


contract = Contract("shop", resources=[Größe, order_item])

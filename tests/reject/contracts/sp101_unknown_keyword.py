"""A class keyword with a spelling mistake."""

from __future__ import annotations

from sternpost import Contract, Resource


class Order(
    Resource,
    prefix="ord",
    plurals="orders",
):
    note: str


contract = Contract("shop", resources=[Order])

"""An owner field that is a number."""

from __future__ import annotations

from sternpost import Contract, Resource


class Order(Resource, prefix="ord", owner="customer"):
    customer: int


contract = Contract("shop", resources=[Order])

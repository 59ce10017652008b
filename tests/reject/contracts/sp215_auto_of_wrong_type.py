"""An automatic time that is a text."""

from __future__ import annotations

from datetime import date

from sternpost import Contract, Resource, field


class Order(Resource, prefix="ord"):
    created_at: str = field(auto="created")
    updated_on: date = field(auto="updated")


contract = Contract("shop", resources=[Order])

"""A key that says what only a value can say, one that is no field, and a schema that is no name."""

from __future__ import annotations

from typing import Any

from sternpost import Contract, Resource, field


class User(Resource, prefix="usr", schema="sales"):
    id: str = field(column="UserId", unique=True, max_length=5)
    name: str


class Order(Resource, prefix="ord", schema=""):
    id: Any = 5
    note: str


contract = Contract("shop", resources=[User, Order], schema="external")

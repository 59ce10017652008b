"""Schemas and keys of other people's tables, in a contract whose tables are its own."""

from __future__ import annotations

from sternpost import Contract, Resource, field


class User(Resource, prefix="usr", schema="sales"):
    id: str = field(column="UserId")
    name: str


contract = Contract("shop", resources=[User])

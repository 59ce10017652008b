"""Columns that are no names, that are malformed, and that two fields share."""

from __future__ import annotations

from sternpost import Contract, One, Resource, field, one


class User(Resource, prefix="usr"):
    name: str = field(column="full name")
    mail: str = field(column=5)  # pyright: ignore[reportArgumentType]
    nick: str = field(column="name_2")
    alias: str = field(column="name_2")
    boss: One[User] = one(column="id")


contract = Contract("shop", resources=[User])

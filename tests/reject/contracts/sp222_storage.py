"""Ways to keep a value that do not exist."""

from __future__ import annotations

from datetime import datetime

from sternpost import Contract, One, Resource, field, one


class User(Resource, prefix="usr"):
    id: str = field(storage="serial")
    name: str = field(storage="text")
    born: datetime = field(storage="julian day")
    boss: One[User] | None = one(storage="number")
    flag: bool = field(storage="yes or no")


contract = Contract("shop", resources=[User], schema="external")

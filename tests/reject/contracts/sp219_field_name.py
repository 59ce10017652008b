"""Field and relation names that are not in lower case with underscores."""

from __future__ import annotations

from sternpost import Contract, One, Resource


class User(Resource, prefix="usr"):
    firstName: str
    größe: int
    last__name: str
    bestFriend: One[User] | None


contract = Contract("shop", resources=[User])

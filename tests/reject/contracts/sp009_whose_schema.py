"""A schema that is neither Sternpost's nor somebody else's."""

from __future__ import annotations

from sternpost import Contract, Resource


class User(Resource, prefix="usr"):
    name: str


contract = Contract("shop", resources=[User], schema="legacy")  # pyright: ignore[reportArgumentType]

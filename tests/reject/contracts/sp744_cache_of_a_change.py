"""A custom operation that changes something decides about caching."""

from __future__ import annotations

from sternpost import Contract, Create, Custom, Read, Resource, field, public


class User(Resource, prefix="usr"):
    """A user."""

    name: str = field(max_length=100)

    read = Read(allow=public)
    create = Create(allow=public)
    touch = Custom(output=None, allow=public, cache="none")


contract = Contract("demo", resources=[User])

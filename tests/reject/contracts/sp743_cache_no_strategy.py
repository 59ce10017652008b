"""cache= is no strategy."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, field, public


class User(Resource, prefix="usr"):
    """A user."""

    name: str = field(max_length=100)

    read = Read(allow=public, cache="forever")
    create = Create(allow=public)


contract = Contract("demo", resources=[User])

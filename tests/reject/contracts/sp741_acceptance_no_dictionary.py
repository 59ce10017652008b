"""acceptance= is a list."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, field, public


class User(Resource, prefix="usr"):
    """A user."""

    name: str = field(max_length=100)

    read = Read(allow=public)
    create = Create(allow=public, acceptance=["The owner can change it"])


contract = Contract("demo", resources=[User])

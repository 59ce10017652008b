"""A criterion has a sentence for a code, and another one says nothing."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, field, public


class User(Resource, prefix="usr"):
    """A user."""

    name: str = field(max_length=100)

    read = Read(allow=public)
    create = Create(allow=public, acceptance={"Owner only": "Nobody else can change it", "empty": " "})


contract = Contract("demo", resources=[User])

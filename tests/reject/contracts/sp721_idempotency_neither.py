"""idempotency= is something else than optional or required."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, field, public


class User(Resource, prefix="usr"):
    """A user."""

    name: str = field(max_length=100)

    read = Read(allow=public)
    create = Create(allow=public, idempotency=True)


contract = Contract("demo", resources=[User])

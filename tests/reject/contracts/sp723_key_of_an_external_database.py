"""An operation of an external database requires a key, for which there is no table."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, field, public


class User(Resource, prefix="usr"):
    """A user."""

    name: str = field(max_length=100)

    read = Read(allow=public)
    create = Create(allow=public, idempotency="required")


contract = Contract("demo", resources=[User], schema="external")

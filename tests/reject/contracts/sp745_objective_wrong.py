"""objective= has no number, and a share of calls above all of them."""

from __future__ import annotations

from sternpost import Contract, Create, Objective, Read, Resource, field, public


class User(Resource, prefix="usr"):
    """A user."""

    name: str = field(max_length=100)

    read = Read(allow=public, objective=Objective(p95_ms=0))
    create = Create(allow=public, objective=Objective(error_rate=2))


contract = Contract("demo", resources=[User])

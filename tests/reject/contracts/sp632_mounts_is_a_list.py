"""A list in place of prefixes."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


async def application(scope, receive, send) -> None:
    """Answers."""


mounts = [application]

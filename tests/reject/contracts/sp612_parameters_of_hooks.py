"""Hooks that take something else than they are given."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, after_commit, around_handler, before_encoding, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


async def around(call):
    """Leaves out what it has to await."""


async def after(call, proceed):
    """Takes what it does not get."""


async def every(*calls):
    """Takes whatever comes."""


hooks = [
    around_handler(around),
    after_commit(after),
    before_encoding(every),
]

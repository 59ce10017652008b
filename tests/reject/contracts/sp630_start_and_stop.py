"""Functions at the start and the stop that are none."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


def prepare() -> None:
    """Does not wait."""


async def finish(app) -> None:
    """Takes an argument."""


on_start = [prepare, "prepare"]
on_stop = [finish]

"""Hooks that are none."""

from __future__ import annotations

from sternpost import Contract, Create, HookCall, Read, Resource, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


async def count(call: HookCall) -> None:
    """Counts."""


hooks = [count, "after_commit"]

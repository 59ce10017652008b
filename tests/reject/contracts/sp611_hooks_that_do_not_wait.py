"""A hook that is no async function."""

from __future__ import annotations

from sternpost import Contract, Create, HookCall, Read, Resource, after_validation, public

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


def count(call: HookCall) -> None:
    """Counts."""


hooks = [after_validation(count), after_validation(42)]

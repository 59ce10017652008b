"""An operation of no kind."""

from __future__ import annotations

from sternpost import Contract, Operation, Resource, public


class User(Resource, prefix="usr"):
    name: str

    browse = Operation(allow=public)


contract = Contract("shop", resources=[User])

"""A custom operation that nobody implements."""

from __future__ import annotations

from sternpost import Contract, Custom, Resource, authenticated


class User(Resource, prefix="usr"):
    name: str

    invite = Custom(allow=authenticated)


contract = Contract("shop", resources=[User])

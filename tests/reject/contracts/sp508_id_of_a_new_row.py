"""A creation that only the new row's owner may do."""

from __future__ import annotations

from sternpost import Contract, Create, Resource, scope, this


class User(Resource, prefix="usr", owner="id"):
    name: str

    create = Create(allow=this.is_owner | scope("users:write"))


contract = Contract("shop", resources=[User])

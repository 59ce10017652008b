"""An implementation of an operation that only reads."""

from __future__ import annotations

from sternpost import Browse, Contract, Resource, implements, public


class User(Resource, prefix="usr"):
    name: str

    browse = Browse(allow=public)


@implements(User.browse)
async def browse_users(ctx):
    """Lists users."""


contract = Contract("shop", resources=[User])
services = [browse_users]

"""Two functions for one operation."""

from __future__ import annotations

from sternpost import Contract, Create, Resource, implements, public


class User(Resource, prefix="usr"):
    name: str

    create = Create(allow=public)


@implements(User.create)
async def create_user(ctx, change):
    """Creates a user."""


@implements(User.create)
async def greet_user(ctx, change):
    """Greets a user."""


contract = Contract("shop", resources=[User])
services = [create_user, greet_user]

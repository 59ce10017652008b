"""An implementation without async."""

from __future__ import annotations

from sternpost import Contract, Create, Resource, implements, public


class User(Resource, prefix="usr"):
    name: str

    create = Create(allow=public)


@implements(User.create)
def create_user(ctx, change):
    """Creates a user."""


contract = Contract("shop", resources=[User])
services = [create_user]

"""Implementations that take something else than they are given."""

from __future__ import annotations

from sternpost import Contract, Create, Delete, Resource, authenticated, implements, public


class User(Resource, prefix="usr"):
    name: str

    create = Create(allow=public)
    delete = Delete(allow=authenticated)


@implements(User.create)
async def create_user(ctx):
    """Creates a user."""


@implements(User.delete)
async def delete_user(ctx, user, *, reason):
    """Deletes a user."""


contract = Contract("shop", resources=[User])
services = [create_user, delete_user]

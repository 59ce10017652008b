"""A payload that is named like a resource."""

from __future__ import annotations

from sternpost import Contract, Custom, Payload, Resource, authenticated, implements


def payload():
    class User(Payload):
        text: str

    return User


class User(Resource, prefix="usr"):
    name: str

    invite = Custom(input=payload(), output=None, allow=authenticated)


@implements(User.invite)
async def invite(ctx, user, message):
    """Sends a message."""


contract = Contract("shop", resources=[User])
services = [invite]

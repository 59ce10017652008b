"""A payload that is declared like a resource."""

from __future__ import annotations

from sternpost import Contract, Custom, Payload, Resource, authenticated, implements


class Message(Payload, prefix="msg"):
    text: str


class User(Resource, prefix="usr"):
    name: str

    write = Custom(input=Message, output=None, allow=authenticated)


@implements(User.write)
async def write(ctx, user, message):
    """Sends a message."""


contract = Contract("shop", resources=[User])
services = [write]

"""Custom operations that contradict themselves."""

from __future__ import annotations

from sternpost import Contract, Custom, Payload, Resource, authenticated, implements


class Message(Payload):
    text: str


class User(Resource, prefix="usr"):
    name: str

    rename = Custom(method="PUT", allow=authenticated)
    invite = Custom(on="row", allow=authenticated)
    search = Custom(
        method="GET",
        on="collection",
        input=Message,
        allow=authenticated,
    )


@implements(User.rename, User.invite)
async def change(ctx, user):
    """Changes the user."""


@implements(User.search)
async def search(ctx, message):
    """Searches."""


contract = Contract("shop", resources=[User])
services = [change, search]

"""Types without a meaning in a contract."""

from __future__ import annotations

from sternpost import Contract, Custom, Many, One, Payload, Resource, authenticated, implements


class Note(Payload):
    author: One[User]


class User(Resource, prefix="usr"):
    photo: bytes
    tags: set[str]
    either: int | str
    friends: Many[User] | None

    note = Custom(input=Note, output=None, allow=authenticated)


@implements(User.note)
async def note(ctx, user, given):
    """Does nothing."""


contract = Contract("shop", resources=[User])
services = [note]

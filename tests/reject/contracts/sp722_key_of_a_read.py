"""An operation that reads requires a key."""

from __future__ import annotations

from sternpost import Context, Contract, Custom, Payload, Read, Resource, field, implements, public


class Count(Payload):
    """How many."""

    many: int


class User(Resource, prefix="usr"):
    """A user."""

    name: str = field(max_length=100)

    read = Read(allow=public)
    count = Custom(method="GET", on="collection", output=Count, allow=public, idempotency="required")


@implements(User.count)
async def count(ctx: Context) -> Count:
    return Count(many=await ctx.repository(User).count())


contract = Contract("demo", resources=[User])
services = [count]

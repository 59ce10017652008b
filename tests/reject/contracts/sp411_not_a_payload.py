"""Inputs and outputs that are no payloads."""

from __future__ import annotations

from sternpost import Contract, Custom, Resource, authenticated, implements


class User(Resource, prefix="usr"):
    name: str

    invite = Custom(input=str, output=None, allow=authenticated)
    find_best = Custom(output={"name": str}, allow=authenticated)


@implements(User.invite, User.find_best)
async def work(ctx, user):
    """Does both."""


contract = Contract("shop", resources=[User])
services = [work]

"""Operations that would have one address or one id, or the address of a list."""

from __future__ import annotations

from typing import Literal

from sternpost import Contract, Custom, Many, One, Resource, Transition, authenticated, field, implements


class Named(Resource, abstract=True):
    name: str

    orders = Custom(method="GET", allow=authenticated)


class User(Named, prefix="usr"):
    orders: Many[Order]

    step_1 = Custom(allow=authenticated)
    step1 = Custom(allow=authenticated)


class Order(Resource, prefix="ord"):
    user: One[User]


class Note(Resource, prefix="not"):
    status: Literal["draft", "sent"] = field(default="draft", write="never")

    send_1 = Transition("status", source="draft", target="sent", allow=authenticated)
    send__1 = Transition("status", source="draft", target="sent", allow=authenticated)


@implements(User.step_1, User.step1)
async def work(ctx, user):
    """Does both."""


contract = Contract("shop", resources=[User, Order, Note])
services = [work]

"""Operations that would have one address or one id."""

from __future__ import annotations

from typing import Literal

from sternpost import Contract, Custom, Many, One, Resource, authenticated, field, implements, many


class User(Resource, prefix="usr"):
    name: str
    orders: Many[Order]
    status: Literal["new", "active"] = field(default="new", write="never")

    orders_of = Custom(method="GET", allow=authenticated)
    step_1 = Custom(allow=authenticated)
    step1 = Custom(allow=authenticated)


class Order(Resource, prefix="ord"):
    user: One[User]
    lines: Many[Line]
    history: Many[Line] = many(by="order", route=False)


class Line(Resource, prefix="lin"):
    order: One[Order]


@implements(User.orders_of, User.step_1, User.step1)
async def work(ctx, user):
    """Does all three."""


contract = Contract("shop", resources=[User, Order, Line])
services = [work]

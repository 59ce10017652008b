"""Option values that do not exist, and values of wrong types."""

from __future__ import annotations

from datetime import datetime

from sternpost import Browse, Contract, Email, Many, One, Resource, field, many, one, public


class User(Resource, prefix="usr", abstract="no"):
    name: str = field(write="sometimes")
    created_at: datetime = field(auto="now")
    email: Email = field(unique=5)
    phone: str = field(sensitive="yes", description=None)
    orders: Many[Order] = many(route="no", write="create")


class Order(Resource, prefix="ord"):
    user: One[User] = one(on_delete="ignore", write=["create"], unique="yes")

    browse = Browse(summary=5, allow=public)


contract = Contract("shop", resources=[User, Order])

"""What the database rich-lite holds. Written by `sternpost contract infer`, for you to change."""

# What the database holds and a contract cannot say:
# - open_orders: it is a view.
# - search: it is part of a virtual table.
# - search_config: it is part of a virtual table.
# - search_content: it is part of a virtual table.
# - search_data: it is part of a virtual table.
# - search_docsize: it is part of a virtual table.
# - search_idx: it is part of a virtual table.
# - grades: its key is made of several columns: user_id, order_id.
# - no_key: it has no primary key to find a row by.
# - orders.photo: the type BLOB is not part of a contract.
# - orders.anything: it has no type.
# - orders.total: it has no type.
# - orders: the database alone keeps: iso IS NULL OR epoch IS NULL OR iso <> epoch.

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Json,
    Many,
    One,
    Read,
    Resource,
    Sternpost,
    Update,
    field,
    many,
    one,
    scope,
)


class Code(Resource, prefix="cod", table="codes"):
    """A row of codes."""

    id: str = field(column="code", storage="text")
    label: str | None

    browse = Browse(allow=scope("codes:read"))
    read = Read(allow=scope("codes:read"))
    # No create: whoever adds a row chooses its key code, and ids are opaque.
    update = Update(allow=scope("codes:write"))
    delete = Delete(allow=scope("codes:write"))


class OrderItem(Resource, prefix="ori", table="order items"):
    """A row of order items."""

    order: One[Order] = one(on_delete="cascade", column="order id")
    sku: str
    qty: int = field(default=1, ge=1)

    browse = Browse(allow=scope("order-items:read"))
    read = Read(allow=scope("order-items:read"))
    create = Create(allow=scope("order-items:write"))
    update = Update(allow=scope("order-items:write"))
    delete = Delete(allow=scope("order-items:write"))


class Order(Resource, prefix="ord", table="orders"):
    """A row of orders."""

    # photo is left out: the type BLOB is not part of a contract.
    # anything is left out: it has no type.
    # total is left out: it has no type.
    # The database alone keeps: iso IS NULL OR epoch IS NULL OR iso <> epoch
    state: Literal["open", "closed"] = field(default="open", filter=True)
    placed: datetime = field(auto="database")
    iso: datetime | None = field(storage="iso text")
    epoch: datetime | None = field(storage="unix seconds")
    day: date | None
    paid: bool = field(default=False)
    flag: bool | None
    price: Decimal | None = field(ge=Decimal("0.005"), decimal_places=3, max_digits=8)
    ratio: float | None
    doc: Json
    # The database declares no reference: this is taken from the name of user_id.
    user: One[User] | None
    code: UUID | None = field(unique=True, filter=True)
    note: str | None
    data_value: str | None = field(column="data")
    order_items: Many[OrderItem]
    users: Many[User] = many(through="friends", columns=["order_id", "user_id"])

    browse = Browse(sort=["state", "code"], allow=scope("orders:read"))
    read = Read(allow=scope("orders:read"))
    create = Create(allow=scope("orders:write"))
    update = Update(allow=scope("orders:write"))
    delete = Delete(allow=scope("orders:write"))


class Token(Resource, prefix="tok", table="tokens"):
    """A row of tokens."""

    id: str = field(storage="uuid")
    user: One[User] = one(column="user")
    expires: str | None

    browse = Browse(allow=scope("tokens:read"))
    read = Read(allow=scope("tokens:read"))
    create = Create(allow=scope("tokens:write"))
    update = Update(allow=scope("tokens:write"))
    delete = Delete(allow=scope("tokens:write"))


class User(Resource, prefix="use", table="users"):
    """A row of users."""

    name: str = field(unique=True, min_length=1, max_length=40, filter=True)
    orders: Many[Order]
    tokens: Many[Token]
    orders_through_friends: Many[Order] = many(
        through="friends",
        columns=["user_id", "order_id"],
    )

    browse = Browse(sort=["name"], allow=scope("users:read"))
    read = Read(allow=scope("users:read"))
    create = Create(allow=scope("users:write"))
    update = Update(allow=scope("users:write"))
    delete = Delete(allow=scope("users:write"))


contract = Contract(
    "rich-lite",
    resources=[Code, OrderItem, Order, Token, User],
    schema="external",
)
app = Sternpost(contract)

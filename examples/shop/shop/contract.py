"""The shop: users, products, and orders with their items. Everything it serves is declared here."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sternpost import (
    Browse,
    Contract,
    Create,
    Delete,
    Email,
    Many,
    One,
    Owned,
    Read,
    Replace,
    Resource,
    Transition,
    Unprocessable,
    Update,
    caller,
    computed,
    field,
    fixed_window,
    many,
    one,
    public,
    scope,
    sum_of,
    this,
    token_bucket,
)

UserStatus = Literal["pending", "active", "suspended"]
OrderStatus = Literal["draft", "placed", "paid", "shipped", "cancelled"]

user_admin = scope("users:admin")
order_admin = scope("orders:admin")


class User(Resource, prefix="usr", owner="id"):
    """A person who can place orders."""

    name: str = field(min_length=1, max_length=100, filter=["eq", "contains", "startsWith"])
    email: Email = field(unique=True, sensitive=True)
    status: UserStatus = field(default="pending", write="never", filter=True)
    created_at: datetime = field(auto="created", filter=True)
    updated_at: datetime = field(auto="updated", filter=True)
    orders: Many[Order]

    browse = Browse(
        sort=["created_at", "updated_at", "name"],
        allow=scope("users:read") | user_admin,
        cache="none",
        acceptance={"by-status": "Users are found by their status, and counted"},
    )
    read = Read(
        allow=this.is_owner | scope("users:read") | user_admin,
        cache="none",
        acceptance={"own-account": "A user sees their own account, and no other"},
    )
    create = Create(
        idempotency="optional",
        allow=public,
        limit=fixed_window(1_000_000, per="hour", by="address"),
        emits="user.created",
        acceptance={
            "sign-up": "Anybody can create an account, which is pending at first",
            "email-once": "An e-mail address belongs to one account",
        },
    )
    replace = Replace(
        allow=this.is_owner | scope("users:write") | user_admin,
        acceptance={"keeps-status": "Replacing an account does not change its status"},
    )
    update = Update(
        allow=this.is_owner | scope("users:write") | user_admin,
        acceptance={"own-name": "A user changes their own name, and nobody else's"},
    )
    delete = Delete(allow=user_admin, acceptance={"gone": "A deleted account does not exist any more"})
    activate = Transition(
        "status",
        source=["pending", "suspended"],
        target="active",
        allow=user_admin,
        acceptance={"admins-only": "Only administrators activate an account"},
    )
    suspend = Transition(
        "status",
        source=["pending", "active"],
        target="suspended",
        allow=user_admin,
        acceptance={"once": "A suspended account cannot be suspended again"},
    )


class Product(Resource, prefix="prd"):
    """Something to buy, and how many there are of it."""

    sku: str = field(unique=True, min_length=1, max_length=40, pattern="^[A-Z0-9-]+$", filter=True)
    name: str = field(min_length=1, max_length=200, filter=True)
    price_cents: int = field(ge=0, le=100_000_000, filter=True)
    stock: int = field(ge=0, le=1_000_000_000, default=0, filter=True, example=1_000_000)

    browse = Browse(
        sort=["name", "sku", "price_cents", "stock"],
        export=True,
        allow=public,
        cache="none",
        acceptance={"cheapest-first": "Anybody lists products by their price"},
    )
    read = Read(allow=public, cache="none", acceptance={"for-all": "Anybody sees a product and its stock"})
    create = Create(
        idempotency="optional",
        allow=scope("products:write"),
        acceptance={"sku-once": "A stock keeping unit belongs to one product"},
    )
    replace = Replace(
        allow=scope("products:write"), acceptance={"whole": "What a replacement leaves out gets its default"}
    )
    update = Update(allow=scope("products:write"), acceptance={"part": "What a change leaves out stays"})
    delete = Delete(
        allow=scope("products:write"), acceptance={"kept-in-orders": "A product that was ordered cannot be deleted"}
    )


class OrderEmpty(Unprocessable):
    code = "ORDER_EMPTY"
    message = "An order without items cannot be placed"
    fix = "Add an item first."


class NotEnoughStock(Unprocessable):
    code = "NOT_ENOUGH_STOCK"
    message = "There is not enough stock"
    fix = "Order less of the products that details name."


class OrderItem(Resource, prefix="itm"):
    """A product in an order, at its price when it was ordered."""

    order: One[Order]
    product: One[Product]
    quantity: int = field(ge=1, le=999)
    unit_price_cents: int = field(ge=0, write="never")


class Order(Resource, prefix="ord", owner="user_id"):
    """What a user buys. Placing it takes its items out of stock."""

    user: One[User] = one(default=caller, write="create", filter=True)
    status: OrderStatus = field(default="draft", write="never", filter=True)
    items: Owned[OrderItem] = many(max_length=200)
    total_cents: int = computed(sum_of("items", "quantity", "unit_price_cents"), filter=True)
    created_at: datetime = field(auto="created", filter=True)
    updated_at: datetime = field(auto="updated", filter=True)

    browse = Browse(
        sort=["created_at", "updated_at", "total_cents"],
        export=True,
        allow=this.is_owner | scope("orders:read") | order_admin,
        cache="none",
        acceptance={"own-orders": "A user finds their own orders, and nobody else's"},
    )
    read = Read(
        allow=this.is_owner | scope("orders:read") | order_admin,
        cache="none",
        acceptance={"hidden": "An order of somebody else does not exist for a user"},
    )
    create = Create(
        idempotency="optional",
        allow=this.is_owner | scope("orders:write") | order_admin,
        acceptance={
            "present-price": "Items have the prices that their products have now",
            "known-products": "An order with a product that does not exist is refused",
        },
    )
    replace = Replace(
        allow=this.is_owner | scope("orders:write") | order_admin,
        acceptance={"all-items": "Replacing an order replaces all of its items"},
    )
    update = Update(
        allow=this.is_owner | scope("orders:write") | order_admin,
        acceptance={"drafts-only": "An order that was placed cannot be changed"},
    )
    delete = Delete(
        allow=this.is_owner | order_admin,
        acceptance={"records-stay": "An order that holds stock or was paid cannot be deleted"},
    )
    place = Transition(
        "status",
        source="draft",
        target="placed",
        errors=[OrderEmpty, NotEnoughStock],
        allow=this.is_owner | order_admin,
        emits="order.placed",
        critical=True,
        acceptance={
            "takes-stock": "Placing an order takes its items out of stock",
            "enough-stock": "An order for more than there is takes nothing",
            "not-empty": "An order without items cannot be placed",
        },
    )
    pay = Transition(
        "status",
        source="placed",
        target="paid",
        allow=this.is_owner | order_admin,
        limit=token_bucket(60, per="minute", by="principal", burst=20),
        emits="order.paid",
        critical=True,
        acceptance={"once": "An order is paid once, and not before it was placed"},
    )
    ship = Transition(
        "status",
        source="paid",
        target="shipped",
        allow=order_admin,
        acceptance={"paid-first": "An order is shipped after it was paid, and by the shop"},
    )
    cancel = Transition(
        "status",
        source=["draft", "placed", "paid"],
        target="cancelled",
        allow=this.is_owner | order_admin,
        acceptance={"gives-back": "Cancelling an order puts its items back into stock"},
    )


contract = Contract(
    "shop",
    title="Shop",
    description="Users, products and orders.",
    version="1.0.0",
    license="Apache-2.0",
    api_keys=True,
    resources=[User, Product, Order, OrderItem],
    # Generous, as that of new users is: tests, demonstrations and benchmarks come from one address, as one caller.
    limit=fixed_window(1_000_000, per="minute", by="principal"),
)

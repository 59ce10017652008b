"""Fills a shop with the same 200 users, 50 products and 1,000 orders: `sternpost seed`. What is there already stays."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import get_args

from shop.contract import OrderStatus, UserStatus
from shop.data import Data, OrderCreate, OrderItemCreate, ProductCreate, UserCreate

USERS, PRODUCTS, ORDERS = 200, 50, 1000
START = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = (
    "Ada",
    "Alan",
    "Barbara",
    "Edsger",
    "Frances",
    "Grace",
    "Hedy",
    "Ken",
    "Leslie",
    "Margaret",
    "Niklaus",
    "Radia",
    "Tim",
    "Yukihiro",
)
LAST = (
    "Abiteboul",
    "Brooks",
    "Codd",
    "Dijkstra",
    "Eich",
    "Floyd",
    "Gray",
    "Hopper",
    "Iverson",
    "Knuth",
    "Lamport",
    "Perlis",
    "Ritchie",
    "Stonebraker",
)
THINGS = ("Chair", "Desk", "Lamp", "Shelf", "Stool", "Table", "Bench", "Clock", "Mirror", "Rug")
STATES: tuple[OrderStatus, ...] = get_args(OrderStatus)
USER_STATES: tuple[UserStatus, ...] = ("pending", "active", "active", "active", "suspended")


def seed_id(kind: int, number: int) -> str:
    """A UUIDv7's digits that are the same each time and sort by number."""
    milliseconds = int(START.timestamp() * 1000) + number
    return f"{milliseconds:012x}7{kind:03x}8{number:015x}"


def user_id(number: int) -> str:
    """The id of a seeded user."""
    return f"usr_{seed_id(1, number)}"


def product_id(number: int) -> str:
    """The id of a seeded product."""
    return f"prd_{seed_id(2, number)}"


async def seed(data: Data) -> None:
    """Adds what is missing of the sample data; run twice, it leaves the same rows."""
    dice = random.Random(20260101)  # noqa: S311  (sample data)
    users = [_user(dice, number) for number in range(USERS)]
    products = [_product(dice, number) for number in range(PRODUCTS)]
    prices = [product["price_cents"] for product in products]
    orders: dict[str, list[OrderCreate]] = {}
    there = {order.id for order in await data.orders.find(fields=["id"])}
    for number in range(ORDERS):
        user, order = _order(dice, number, prices)
        if order.get("id") not in there:
            orders.setdefault(user_id(user), []).append(order)
    await data.products.create_many(products, on_conflict="skip")
    await data.users.create_many(users, on_conflict="skip")
    for user, own in orders.items():
        await data.users.update(user, {"orders": {"create": own}})


def _user(dice: random.Random, number: int) -> UserCreate:
    made = START + timedelta(hours=number)
    return {
        "id": user_id(number),
        "name": f"{dice.choice(FIRST)} {dice.choice(LAST)}",
        "email": f"user{number}@shop.example",
        "status": dice.choice(USER_STATES),
        "created_at": made,
        "updated_at": made,
    }


def _product(dice: random.Random, number: int) -> ProductCreate:
    return {
        "id": product_id(number),
        "sku": f"SKU-{number:04d}",
        "name": f"{THINGS[number % len(THINGS)]} No. {number // len(THINGS) + 1}",
        "price_cents": dice.randrange(499, 49_999, 100),
        "stock": dice.randrange(0, 500),
    }


def _order(dice: random.Random, number: int, prices: list[int]) -> tuple[int, OrderCreate]:
    """Whose order it is, and the order with its items; their sum is computed from them."""
    made = START + timedelta(days=10, minutes=number)
    products = dice.sample(range(PRODUCTS), dice.randint(1, 4))
    items: list[OrderItemCreate] = [
        {
            "id": f"itm_{seed_id(4, number * 10 + index)}",
            "product_id": product_id(product),
            "quantity": dice.randint(1, 5),
            "unit_price_cents": prices[product],
        }
        for index, product in enumerate(products)
    ]
    user = dice.randrange(USERS)
    return user, {
        "id": f"ord_{seed_id(3, number)}",
        "status": dice.choice(STATES),
        "created_at": made,
        "updated_at": made,
        "items": {"create": items},
    }

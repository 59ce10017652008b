"""Fills a shop with the same 200 users, 50 products and 1,000 orders each time: `python -m shop.seed`."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.progress import Progress

from sternpost import Sternpost
from sternpost.data.writing import complete, computed_values
from sternpost.plan.query import Select
from sternpost.ports.storage import Statistics

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
STATES = ("draft", "placed", "paid", "shipped", "cancelled")


def seed_id(kind: int, number: int) -> str:
    """A UUIDv7's digits that are the same each time and sort by number."""
    milliseconds = int(START.timestamp() * 1000) + number
    return f"{milliseconds:012x}7{kind:03x}8{number:015x}"


class Fixed:
    """A clock that stands at the time a seeded row was made."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return 0.0


async def is_seeded(app: Sternpost) -> bool:
    """Whether the first seeded user exists."""
    runtime = app.running.runtime
    row = await runtime.storage.reader().get(Select("User", ("id",)), seed_id(1, 0))
    return row is not None


async def seed(app: Sternpost, progress: Progress | None = None) -> None:
    """Writes everything in one transaction: afterwards all of it is there, or nothing."""
    runtime = app.running.runtime
    plan = runtime.plan
    dice = random.Random(20260101)  # noqa: S311  (sample data)
    task = progress.add_task("seeding the shop", total=USERS + PRODUCTS + ORDERS) if progress else None
    async with runtime.storage.transaction(Statistics()) as session:

        async def add(name: str, values: dict[str, Any], made: datetime) -> None:
            resource = plan.by_name[name]
            await session.insert(name, complete(resource, values, runtime.new_id, Fixed(made)))
            if progress and task is not None:
                progress.advance(task)

        for number in range(USERS):
            name = f"{dice.choice(FIRST)} {dice.choice(LAST)}"
            status = dice.choice(("pending", "active", "active", "active", "suspended"))
            values = {"id": seed_id(1, number), "name": name, "email": f"user{number}@shop.example", "status": status}
            await add("User", values, START + timedelta(hours=number))
        prices: list[int] = []
        for number in range(PRODUCTS):
            prices.append(dice.randrange(499, 49_999, 100))
            thing = f"{THINGS[number % len(THINGS)]} No. {number // len(THINGS) + 1}"
            values = {
                "id": seed_id(2, number),
                "sku": f"SKU-{number:04d}",
                "name": thing,
                "price_cents": prices[-1],
                "stock": dice.randrange(0, 500),
            }
            await add("Product", values, START)
        for number in range(ORDERS):
            items = [
                {"product_id": seed_id(2, product), "quantity": dice.randint(1, 5), "unit_price_cents": prices[product]}
                for product in dice.sample(range(PRODUCTS), dice.randint(1, 4))
            ]
            values = {
                "id": seed_id(3, number),
                "user_id": seed_id(1, dice.randrange(USERS)),
                "status": dice.choice(STATES),
                **computed_values(plan.by_name["Order"], {"items": items}),
            }
            made = START + timedelta(days=10, minutes=number)
            await add("Order", values, made)
            target = plan.by_name["OrderItem"]
            rows = [
                complete(target, {**item, "id": seed_id(4, number * 10 + index)}, runtime.new_id, Fixed(made))
                for index, item in enumerate(items)
            ]
            await session.replace_owned("Order", "items", seed_id(3, number), rows)

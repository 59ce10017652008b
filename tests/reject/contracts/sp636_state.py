"""Services that keep something between calls."""

from __future__ import annotations

import functools
from collections import defaultdict

from sternpost import Change, Context, Contract, Create, Read, Resource, implements, public
from sternpost import testing as settings

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])

PRICES = {"a": 1}
SEEN = {}
COUNTS = defaultdict(int)
NAMES = ["first"]
last = None
KEPT = set()  # sternpost: allow[state] filled once when the module is read, and only read afterwards


class Basket:
    items = []
    kinds = ("a", "b")


@functools.lru_cache(maxsize=100)
def price_of(name):
    return PRICES[name]


@implements(Order.create)
async def create(ctx: Context, change: Change[Order], *, tags=[]) -> Order:
    global last
    last = change
    NAMES.append(change["note"])
    settings.debug = True
    create.calls = 1
    local = {}
    local["note"] = 1
    return await change.apply()


@implements(Order.create)
async def counted(ctx: Context, change: Change[Order]) -> Order:
    COUNTS[change["note"]] += 1
    return await change.apply()


services = [counted]

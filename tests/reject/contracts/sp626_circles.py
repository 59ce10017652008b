"""Providers that need each other."""

from __future__ import annotations

from sternpost import Contract, Create, Read, Resource, public
from sternpost import provide as provided

class Order(Resource, prefix="ord"):
    note: str

    read = Read(allow=public)
    create = Create(allow=public)


contract = Contract("shop", resources=[Order])


class Chicken:
    """Lays eggs."""

    def __init__(self, egg: Egg) -> None:
        self.egg = egg


class Egg:
    """Becomes a chicken."""

    def __init__(self, chicken: Chicken) -> None:
        self.chicken = chicken


provide = [
    provided(Chicken),
    provided(Egg),
]

"""Limits of lists, of their values and of other types, mixed up."""

from __future__ import annotations

from datetime import time, timedelta
from decimal import Decimal

from sternpost import Contract, Create, IPAddress, Payload, Resource, field, public


class Point(Payload):
    x: int


class Track(Resource, prefix="trk"):
    name: str = field(max_items=3)
    tags: list[str] = field(min_items=5, max_items=3)
    points: list[Point] = field(max_length=3)
    many: dict[str, int] = field(max_items=0)
    few: list[int] = field(min_items=101)
    prices: list[Decimal]
    starts: time = field(ge="08:00")
    lasts: timedelta = field(ge=timedelta(hours=2), le=timedelta(hours=1))
    address: IPAddress = field(max_length=15)
    raw: bytes = field(pattern="^a$", unique=True)
    wrong: list[str] = field(default=["a", 1])
    none: list[str] = field(default=[None])
    long: list[str] = field(default=["abc"], max_length=2)

    create = Create(allow=public)


contract = Contract("tracks", resources=[Track])

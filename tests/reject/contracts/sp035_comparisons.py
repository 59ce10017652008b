"""Checks of values that cannot be compared so."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal

from sternpost import Contract, Json, One, Resource, field, this


class Offer(
    Resource,
    prefix="off",
    checks=[
        this.price > this.fee,
        this.starts_at < this.day,
        this.state > "open",
        this.state == "closed",
        this.state.in_("open", "open"),
        this.state.in_([]),
        this.name < this.title,
        this.price == this.price,
        this.price >= "a lot",
        this.price >= Decimal("0.123"),
        this.starts_at > datetime(2026, 1, 31),
        this.note.is_null,
        this.parent == "off_0123456789abcdef0123456789abcdef",
        this.parent > this.root,
        this.end == None,
        this.end != None,
        this.extra == {},
        this.count > 2**64,
        this.active > False,
        this.price == this,
        this.eq(1),
    ],
):
    price: Decimal = field(decimal_places=2)
    fee: Decimal = field(decimal_places=3)
    starts_at: datetime
    end: datetime | None
    day: date
    state: Literal["open", "held"]
    name: str
    title: str
    note: str
    parent: One[Offer] | None
    root: One[Offer] | None
    extra: Json
    count: int
    active: bool


contract = Contract("offers", resources=[Offer])

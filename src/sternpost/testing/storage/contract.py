"""The contract that the suite runs on, and its rows in the form in which values go in."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sternpost.compile.compiler import compile_contract
from sternpost.contract.contract import Contract
from sternpost.contract.fields import computed, count_of, exists_of, field, latest_of
from sternpost.contract.operations import Browse
from sternpost.contract.policy import public, this
from sternpost.contract.relations import Many, One, Owned, many, one
from sternpost.contract.resource import Payload, Resource
from sternpost.contract.types import Json
from sternpost.ids import new_hex
from sternpost.plan.model import Plan
from sternpost.plan.query import Select


class Maker(Payload):
    """Within another object."""

    paid: Decimal = field(decimal_places=2)
    since: datetime | None


class Origin(Payload):
    """An object of a shelf."""

    town: str
    size: int | None
    maker: Maker | None


class Shelf(Resource, prefix="shf", owner="keeper"):
    """Something with every kind of value."""

    label: str = field(unique=True, min_length=1, max_length=50)
    keeper: str | None = None
    width: int | None = field(default=None, ge=0, le=100, filter=True)
    weight: float | None = None
    price: Decimal | None = field(default=None, decimal_places=2)
    fixed: bool = field(default=False)
    colour: Literal["red", "green"] | None = field(default=None, ordered=True)
    made_on: date | None = None
    made_at: datetime | None = None
    serial: UUID | None = None
    notes: Json = field(default=None)
    origin: Origin | None
    parent: One[Shelf] | None
    parts: Many[Shelf] = many(max_length=2)
    books: Owned[Book]
    tags: Many[Tag] = many(through="shelf_tags")
    part_count: int = computed(count_of("parts"))
    has_wide: bool = computed(exists_of("parts", where=this.width.gt(2)))
    widest: str | None = computed(latest_of("parts", "label", by="width"))
    book_count: int = computed(count_of("books"))
    last_word: str | None = computed(latest_of("tags", "word"))

    browse = Browse(allow=public, search=["label"])


class Book(Resource, prefix="bok"):
    """Part of a shelf."""

    shelf: One[Shelf]
    title: str


class Tag(Resource, prefix="tag"):
    """Linked with shelves."""

    word: str
    shelves: Many[Shelf] = many(through="shelf_tags")
    favourite: One[Shelf] | None = one(on_delete="set_null")

    browse = Browse(allow=public)


def storage_plan() -> Plan:
    """The plan that the suite runs on."""
    return compile_contract(Contract("storage-suite", resources=[Shelf, Book, Tag])).plan


SHELF = (
    "id",
    "label",
    "keeper",
    "width",
    "weight",
    "price",
    "fixed",
    "colour",
    "made_on",
    "made_at",
    "serial",
    "notes",
    "origin",
    "parent_id",
)
UNSORTED = ("notes", "origin", "parent_id")
"""What no list is sorted by."""
VIEW = Select("Shelf", SHELF)
LABELS = Select("Shelf", ("label",))
TITLES = Select("Book", ("title",))
WORDS = Select("Tag", ("word",))
EMPTY: dict[str, Any] = dict.fromkeys(SHELF) | {"fixed": False}


def shelf(label: str, **values: Any) -> dict[str, Any]:
    """A whole row, in the form in which values go in."""
    return {**EMPTY, "id": new_hex(), "label": label, **values}


def book(title: str) -> dict[str, Any]:
    """An item of a shelf's list."""
    return {"id": new_hex(), "title": title}


def tag(word: str, **values: Any) -> dict[str, Any]:
    """A row to link with shelves."""
    return {"id": new_hex(), "word": word, "favourite_id": None, **values}


def drawn(draw: random.Random, number: int) -> dict[str, Any]:
    """A row of few different values, so that many are equal in some of them, and of nulls."""
    instant = datetime(2026, 3, 1, 12, 0, 0, draw.choice((0, 1, 999_999)), tzinfo=UTC)
    return shelf(
        f"row {number}",
        keeper=draw.choice((None, "ann", "bob")),
        width=draw.choice((None, 0, 1, 2)),
        weight=draw.choice((None, -0.1, 0.1, 1e300)),
        price=draw.choice((None, Decimal("-1.10"), Decimal("2.00"))),
        fixed=draw.random() < 0.5,
        colour=draw.choice((None, "red", "green")),
        made_on=draw.choice((None, date(2026, 1, 1), date(2026, 1, 2))),
        made_at=draw.choice((None, instant)),
        serial=draw.choice((None, UUID(int=1), UUID(int=2))),
    )

"""The contract that the data client is tested with."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from sternpost import (
    Browse,
    Context,
    Contract,
    Custom,
    Json,
    Many,
    One,
    Owned,
    Payload,
    Resource,
    Sternpost,
    computed,
    field,
    implements,
    many,
    one,
    public,
    sum_of,
)


class Tried(Payload):
    """What came of it."""

    said: str


class Person(Resource, prefix="per", plural="people"):
    """Who owns books."""

    name: str
    email: str = field(unique=True)
    age: int | None = None
    mentor: One[Person] | None = one(on_delete="set_null")
    pupils: Many[Person] = many(by="mentor")
    books: Many[Book]

    browse = Browse(allow=public)


class Page(Resource, prefix="pag"):
    """Part of a book."""

    book: One[Book]
    text: str
    words: int = field(default=1)
    weight: int = field(default=1)


class Label(Resource, prefix="lab"):
    """What a book is about."""

    word: str = field(unique=True)
    books: Many[Book] = many(through="book_labels")

    browse = Browse(allow=public)


class Book(Resource, prefix="bok", unique=[("title", "edition")]):
    """Every kind of value."""

    title: str
    edition: int = field(default=1, ge=0)
    owner: One[Person] | None = one(on_delete="restrict")
    price: Decimal | None = field(default=None, decimal_places=2, max_digits=10)
    rating: float | None = None
    rare: bool = field(default=False)
    state: Literal["in", "out"] = field(default="in")
    bought_on: date | None = None
    read_at: datetime | None = None
    serial: UUID | None = None
    notes: Json = None
    words: int = computed(sum_of("pages", "words", "weight"))
    pages: Owned[Page]
    labels: Many[Label] = many(through="book_labels")
    created_at: datetime = field(auto="created")
    updated_at: datetime = field(auto="updated")

    browse = Browse(allow=public)
    look = Custom(method="GET", on="collection", output=Tried, allow=public)
    write = Custom(on="collection", output=Tried, allow=public)


@implements(Book.look)
async def look(ctx: Context) -> Tried:
    """A GET operation: whatever it tries, nothing is written."""
    said: list[str] = []
    for attempt in (
        lambda: ctx.data.table(Label).create({"word": "by a read"}),
        lambda: ctx.data.execute(
            "insert into labels (id, word) values (:id, 'raw')", id=ctx.data.key("lab_" + "0" * 32)
        ),
        lambda: ctx.data.sql("delete from labels returning word"),
    ):
        try:
            await attempt()
            said.append("written")
        except RuntimeError as error:
            said.append(type(error).__name__)
    return Tried(said=f"{' '.join(said)} {await ctx.data.table(Label).count()}")


@implements(Book.write)
async def write(ctx: Context) -> Tried:
    """An operation with a part that is undone."""
    await ctx.data.table(Label).create({"word": "kept"})
    try:
        async with ctx.data.transaction():
            await ctx.data.table(Label).create({"word": "undone"})
            raise LookupError
    except LookupError:
        pass
    return Tried(said=" ".join(label.word for label in await ctx.data.table(Label).find()))


contract = Contract("library", resources=[Person, Book, Page, Label])
app = Sternpost(contract, services=[look, write])

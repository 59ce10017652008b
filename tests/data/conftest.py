"""A contract with every kind of field and relation, and the data client on an empty database of each kind."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from sternpost import Settings
from sternpost.data.database import Database
from tests.data.library import Book, Label, Person, app


@pytest.fixture
async def db(make_settings: Callable[..., Settings]) -> AsyncIterator[Database]:
    """The data client as a script has it."""
    app.use(make_settings())
    async with app.data() as found:
        await found.access.model.storage.create_schema()
        yield found


@pytest.fixture
async def other(db: Database) -> AsyncIterator[Database]:
    """A second client of the same database, with connections of its own."""
    async with app.data() as found:
        yield found


async def filled(db: Database) -> dict[str, Any]:
    """Some people and books."""
    people, books, labels = db.table(Person), db.table(Book), db.table(Label)
    ada = await people.create({"name": "Ada", "email": "ada@example.com", "age": 36})
    bob = await people.create({"name": "Bob", "email": "bob@example.com"})
    eve = await people.create({"name": "eve", "email": "eve@example.com", "age": 20, "mentor": {"connect": ada.id}})
    old = await labels.create({"word": "old"})
    new = await labels.create({"word": "new"})
    one = await books.create(
        {
            "title": "One",
            "owner": {"connect": ada.id},
            "price": Decimal("10.50"),
            "labels": {"connect": [old.id, new.id]},
            "pages": {"create": [{"text": "a", "words": 2, "weight": 3}, {"text": "b", "words": 4}]},
        }
    )
    two = await books.create({"title": "Two", "owner": {"connect": ada.id}, "labels": {"connect": [new.id]}})
    three = await books.create({"title": "Three"})
    return {"ada": ada, "bob": bob, "eve": eve, "old": old, "new": new, "one": one, "two": two, "three": three}

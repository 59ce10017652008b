"""Pages of the data client: each costs the same however deep it is, and rows that are equal come in one direction."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import asyncpg
import pytest

from sternpost import Browse, Contract, Many, One, Resource, Settings, Sternpost, field, one, public
from sternpost.data.database import Database
from sternpost.storage.sql.reader import SqlReader
from sternpost.storage.sql.statement import Statement
from sternpost.storage.sqlite.database import SqliteStorage

ROWS = 6000
PAGE = 20


class Shop(Resource, prefix="shp"):
    """Where things are."""

    name: str
    things: Many[Thing]

    browse = Browse(allow=public)


class Thing(Resource, prefix="thg", indexes=[("kind", "-price"), ("size", "-price")]):
    """Many of these."""

    kind: int = field(filter=True)
    price: int
    size: int | None = None
    name: str
    shop: One[Shop] | None = one()

    browse = Browse(sort=["price", "size", "name"], allow=public)


contract = Contract("pages", resources=[Shop, Thing])


@pytest.fixture
async def db(make_settings: Callable[..., Settings]) -> AsyncIterator[Database]:
    async with Sternpost(contract, settings=make_settings()).data() as found:
        await found.access.model.storage.create_schema()
        yield found


async def fill(db: Database, rows: int) -> None:
    await db.table(Thing).create_many(
        [
            {"kind": n % 3, "price": n % 50, "size": None if n % 4 == 0 else n % 7, "name": f"name {n % 1000}"}
            for n in range(rows)
        ]
    )


Sent = list[tuple[str, tuple[Any, ...]]]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    """Every statement that is sent, with its parameters."""
    statements: Sent = []
    bind = SqlReader.bind

    def noted(self: SqlReader, statement: Statement, *args: Any, **options: Any) -> tuple[Any, ...]:
        bound = bind(self, statement, *args, **options)
        statements.append((statement.text, bound))
        return bound

    monkeypatch.setattr(SqlReader, "bind", noted)
    return statements


async def plan_of(db: Database, database_url: str, text: str, bound: tuple[Any, ...]) -> str:
    """How the database carries a statement out."""
    storage = db.access.model.storage
    if isinstance(storage, SqliteStorage):
        return "\n".join(row[3] for row in storage.read_inline(f"EXPLAIN QUERY PLAN {text}", bound))
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("VACUUM ANALYZE things")
        return "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {text}", *bound))
    finally:
        await connection.close()


ORDERS = [
    (),
    ("-id",),
    ("price",),
    ("-price",),
    ("name",),
    ("size",),
    ("-size",),
]


@pytest.mark.parametrize("order", ORDERS, ids=[" ".join(order) or "none" for order in ORDERS])
async def test_a_deep_page_is_read_from_an_index(
    db: Database, database_url: str, sent: Sent, order: tuple[str, ...]
) -> None:
    await fill(db, ROWS)
    things = db.table(Thing)
    everyone = await things.find(order=order)
    sent.clear()
    first = await things.find(order=order, limit=PAGE)
    deep = await things.find(order=order, limit=PAGE, after=everyone[4000].id)
    assert [row.id for row in first] == [row.id for row in everyone[:PAGE]]
    assert [row.id for row in deep] == [row.id for row in everyone[4001 : 4001 + PAGE]]
    assert len(sent) == 3, "the first page; the position of a row, and the page behind it"
    for text, bound in sent:
        plan = await plan_of(db, database_url, text, bound)
        assert "Seq Scan" not in plan, plan
        assert "SCAN things\n" not in f"{plan}\n", plan
    first_plan, deep_plan = [await plan_of(db, database_url, *sent[at]) for at in (0, 2)]
    if order and order[0].removeprefix("-") == "size":
        return  # its nulls are a stretch of their own
    for plan in (first_plan, deep_plan):
        assert "Sort" not in plan, plan
        assert "TEMP B-TREE" not in plan, plan


async def test_the_page_behind_a_row_among_those_that_fit_is_one_range(
    db: Database, database_url: str, sent: Sent
) -> None:
    await fill(db, ROWS)
    things = db.table(Thing)
    everyone = await things.find({"kind": 1}, order=["-price"])
    sent.clear()
    deep = await things.find({"kind": 1}, order=["-price"], limit=PAGE, after=everyone[1500])
    assert [row.id for row in deep] == [row.id for row in everyone[1501 : 1501 + PAGE]]
    plan = await plan_of(db, database_url, *sent[-1])
    assert "ix_things_kind_price" in plan
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(
    ("order", "descending"),
    [
        ((), False),
        (("price",), False),
        (("-price",), True),
        (("kind", "-price"), True),
        (("-kind", "price"), False),
        (("-size",), True),
        (("shop.name",), False),
    ],
)
async def test_rows_that_are_equal_come_in_the_direction_of_the_last_value(
    db: Database, order: tuple[str, ...], descending: bool
) -> None:
    things = db.table(Thing)
    await things.create_many([{"kind": 1, "price": 2, "size": 3, "name": f"n{number}"} for number in range(5)])
    ids = [row.id for row in await things.find()]
    wanted = [*reversed(ids)] if descending else ids
    assert [row.id for row in await things.find(order=order)] == wanted
    for at, row in enumerate(wanted):
        assert [found.id for found in await things.find(order=order, after=row)] == wanted[at + 1 :]


async def test_a_walk_by_pages_is_the_list_whatever_the_order(db: Database) -> None:
    shops = await db.table(Shop).create_many([{"name": "b"}, {"name": "a"}], returning=True)
    await db.table(Thing).create_many(
        [
            {
                "kind": n % 2,
                "price": n % 3,
                "size": None if n % 4 == 0 else n % 2,
                "name": "n",
                "shop_id": None if n % 5 == 0 else shops[n % 2].id,
            }
            for n in range(60)
        ]
    )
    things = db.table(Thing)
    for order in (
        ("-size", "price"),
        ("size", "-kind", "price"),
        ("shop.name", "-price"),
        ("-shop.name", "size"),
        ({"by": "size", "nulls": "first"}, "-price"),
        ({"by": "-size", "nulls": "last"}, "shop.name"),
    ):
        whole = [row.id for row in await things.find(order=order)]
        assert len(whole) == 60
        walked: list[str] = []
        while page := await things.find(order=order, limit=7, after=walked[-1] if walked else None):
            walked += [row.id for row in page]
        assert walked == whole, order

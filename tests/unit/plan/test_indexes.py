"""Which indexes a table gets, and that the databases use them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Literal

import asyncpg
import pytest

from sternpost import Browse, Contract, Many, One, Resource, authenticated, field, this
from sternpost.compile.compiler import compile_contract
from sternpost.plan.indexes import index_name, indexes, served
from sternpost.plan.names import NAME_MAX
from sternpost.plan.query import ALL, Compare, Node, Select, ordered
from sternpost.plan.query import Order as SortOrder
from sternpost.storage.sql.statements import Statements
from sternpost.storage.sqlite.database import SqliteStorage

Status = Literal["pending", "active"]


class User(Resource, prefix="usr", owner="id", indexes=[("status", "-created_at")]):
    name: str = field(filter=["contains"])
    email: str = field(unique=True, filter=True)
    status: Status = field(default="active", filter=True)
    nick: str | None = field(filter=["eq", "ne"])
    created_at: datetime = field(auto="created", filter=True)
    orders: Many[Order]

    browse = Browse(sort=["created_at", "name", "nick", "email"], allow=authenticated)


class Order(Resource, prefix="ord", owner="buyer"):
    user: One[User]
    buyer: str

    browse = Browse(allow=this.is_owner)


PLAN = compile_contract(Contract("lists", resources=[User, Order])).plan


def test_derived_and_declared() -> None:
    found = {index.name: (index.columns, index.serves) for index in indexes(PLAN.by_name["User"])}
    assert found == {
        "ix_users_status_created_at": ((("status", False), ("created_at", True), ("id", True)), ("declared",)),
        "ix_users_status": ((("status", False), ("id", False)), ("filter status",)),
        "ix_users_nick": ((("nick", False), ("id", False)), ("filter nick", "sort nick")),
        "ix_users_created_at": ((("created_at", False), ("id", False)), ("filter createdAt", "sort createdAt")),
        "ix_users_name": ((("name", False), ("id", False)), ("sort name",)),
    }
    assert {index.name: index.serves for index in indexes(PLAN.by_name["Order"])} == {
        "ix_orders_user_id": ("rows of one User",),
        "ix_orders_buyer": ("rows of their owner",),
    }


def test_served() -> None:
    found = {one.field: (one.index, one.by_index, one.by_scan) for one in served(PLAN.by_name["User"])}
    assert found["name"] == ("ix_users_name", ("sort",), ("contains",))
    assert found["nick"] == ("ix_users_nick", ("eq", "sort"), ("ne",))
    assert found["email"][0] == "uq_users_email"
    assert found["createdAt"] == ("ix_users_created_at", ("eq", "gt", "gte", "lt", "lte", "in", "sort"), ("ne",))
    assert served(PLAN.by_name["Order"]) == ()


def test_names_are_short_enough_for_postgresql() -> None:
    names = {index_name("a" * 40, ((f"column_{number}_" + "b" * 30, False), ("id", False))) for number in range(20)}
    assert len(names) == 20
    assert all(len(name.encode()) <= NAME_MAX for name in names)


# -- what the databases make of it

STATUS = Compare(("status",), "eq", 2)
ORDERS: list[tuple[tuple[SortOrder, ...], Node, str]] = [
    ((), STATUS, "ix_users_status"),
    ((ordered("created_at", False),), ALL, "ix_users_created_at"),
    ((ordered("created_at", True),), ALL, "ix_users_created_at"),
    ((ordered("created_at", True),), STATUS, "ix_users_status_created_at"),
    ((ordered("name", False),), ALL, "ix_users_name"),
]


def page(statements: Statements, order: tuple[SortOrder, ...], where: Node) -> tuple[str, tuple[object, ...]]:
    """The statement of a list's first page, and its parameters."""
    query = Select("User", ("id", "name"), where=where, order=order, limit=0, offset=1)
    statement = statements.listing(query).page
    return statement.text, statement.bind({}, (20, 0, "pending"))


@pytest.fixture
async def postgresql(postgres_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(postgres_database)
    yield connection
    await connection.close()


@pytest.mark.parametrize(("order", "where", "index"), ORDERS)
async def test_postgresql_uses_them(
    postgresql: asyncpg.Connection, order: tuple[SortOrder, ...], where: Node, index: str
) -> None:
    from sternpost.storage.postgresql.dialect import PostgresqlDialect

    statements = Statements(PLAN, PostgresqlDialect())
    for statement in statements.schema.ddl():
        await postgresql.execute(statement)
    await postgresql.execute(
        "INSERT INTO users (id, name, email, status, nick, created_at) SELECT gen_random_uuid(), 'n' || i, 'e' || i,"
        " CASE WHEN i % 50 = 0 THEN 'pending' ELSE 'active' END, NULL, now() + i * interval '1 second'"
        " FROM generate_series(1, 20000) AS i"
    )
    await postgresql.execute("VACUUM ANALYZE users")
    text, values = page(statements, order, where)
    rows = await postgresql.fetch("EXPLAIN " + text, *values)
    plan = "\n".join(row[0] for row in rows)
    assert re.search(rf"Index (Only )?Scan (Backward )?using {index} ", plan), plan
    assert "Sort" not in plan


@pytest.mark.parametrize(("order", "where", "index"), ORDERS)
async def test_sqlite_uses_them(tmp_path: object, order: tuple[SortOrder, ...], where: Node, index: str) -> None:
    storage = SqliteStorage(f"{tmp_path}/lists.sqlite")
    await storage.open(PLAN)
    await storage.create_schema()
    try:
        text, values = page(storage.statements, order, where)
        rows = storage.read_inline("EXPLAIN QUERY PLAN " + text, values)
        plan = "\n".join(str(row[3]) for row in rows)
        assert f"INDEX {index} " in plan + " ", plan
        assert "TEMP B-TREE" not in plan
    finally:
        await storage.close()

"""Columns of citext: every operator, the order and cursors compare as the column's own `=` does. Text tells case apart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sternpost import Browse, Contract, Read, Resource, Sternpost, field, public
from sternpost.testing import Client
from tests.existing.support import execute, settings_for

SCHEMA = """
CREATE EXTENSION citext;
CREATE DOMAIN short AS citext;
CREATE TABLE people (id serial PRIMARY KEY, name citext NOT NULL, nick short NOT NULL, plain text NOT NULL,
                     code char(6) NOT NULL);
INSERT INTO people (name, nick, plain, code)
    SELECT v, v, v, left(v, 6) FROM unnest(ARRAY['Ada_L', 'ADA_M', 'bob%x', 'BOB\\y', 'cyd']) AS v;
"""
TEXT = ("eq", "ne", "in", "contains", "startsWith")


class Person(Resource, prefix="per", table="people", plural="people"):
    name: str = field(filter=TEXT)
    nick: str = field(filter=TEXT)
    plain: str = field(filter=TEXT)
    code: str = field(filter=TEXT, max_length=6, storage="char")

    browse = Browse(sort=["name", "nick", "plain", "code"], allow=public)
    read = Read(allow=public)


app = Sternpost(Contract("people", resources=[Person], schema="external"), write_log=lambda line: None)


@pytest.fixture
async def client(postgres_database: str) -> AsyncIterator[Client]:
    await execute(postgres_database, SCHEMA)
    app.use(settings_for(postgres_database))
    async with Client(app) as client:
        yield client


async def names(client: Client, query: str) -> list[str]:
    answer = await client.get(f"/api/v1/people?fields=plain&{query}")
    assert answer.status == 200, answer.json()
    return [row["plain"] for row in answer.data]


IGNORING: list[tuple[str, list[str]]] = [
    ("{}=ada_l", ["Ada_L"]),
    ("{}[in]=ada_l,CYD", ["Ada_L", "cyd"]),
    ("{}[in]=ada_l%5C,x,cyd", ["cyd"]),
    ("{}[ne]=ada_l", ["ADA_M", "bob%25x", "BOB\\y", "cyd"]),
    ("{}[contains]=da_", ["Ada_L", "ADA_M"]),
    ("{}[contains]=DA_", ["Ada_L", "ADA_M"]),
    ("{}[startsWith]=aDa", ["Ada_L", "ADA_M"]),
    ("{}[startsWith]=bob%25", ["bob%25x"]),
    ("{}[startsWith]=bob%5C", ["BOB\\y"]),
    ("{}[startsWith]=_da", []),
]


@pytest.mark.parametrize(("query", "expected"), IGNORING)
@pytest.mark.parametrize("field", ["name", "nick"])
async def test_every_operator_on_citext_ignores_case(
    client: Client, field: str, query: str, expected: list[str]
) -> None:
    assert await names(client, query.format(field)) == [name.replace("%25", "%") for name in expected]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("{}=ada_l", []),
        ("{}[in]=ada_l,Ada_L", ["Ada_L"]),
        ("{}[contains]=da_", ["Ada_L"]),
        ("{}[startsWith]=ADA", ["ADA_M"]),
        ("{}[startsWith]=%25", []),
        ("{}[startsWith]=bob%25", ["bob%x"]),
        ("{}[startsWith]=BOB%5C", ["BOB\\y"]),
    ],
)
@pytest.mark.parametrize("field", ["plain", "code"])
async def test_every_operator_on_text_tells_case_apart(
    client: Client, field: str, query: str, expected: list[str]
) -> None:
    assert await names(client, query.format(field)) == expected


@pytest.mark.parametrize("order", ["name", "-name", "nick"])
async def test_pages_by_cursor_are_the_list(client: Client, postgres_database: str, order: str) -> None:
    await execute(postgres_database, "INSERT INTO people (name, nick, plain, code) VALUES ('ADA_l', 'ADA_l', 'x', 'x')")
    whole = await names(client, f"sort={order}")
    assert len(whole) == 6
    found: list[str] = []
    cursor: Any = ""
    while cursor is not None:
        page = await client.get(f"/api/v1/people?sort={order}&pageSize=1&cursor={cursor}")
        found += [row["plain"] for row in page.data]
        cursor = page.json()["meta"]["nextCursor"]
    assert found == whole


async def test_the_data_client_agrees(client: Client) -> None:
    async with app.data() as db:
        people = db.table(Person)
        for where, count in (
            ({"name": {"endsWith": "_l"}}, 1),
            ({"name": {"endsWith": "%X"}}, 1),
            ({"name": {"startsWith": "ADA"}}, 2),
            ({"name": "BOB%X"}, 1),
            ({"name": {"gte": "BOB%X"}}, 3),
            ({"plain": {"endsWith": "_l"}}, 0),
            ({"plain": {"endsWith": "_L"}}, 1),
            ({"plain": {"endsWith": "_l", "mode": "insensitive"}}, 1),
            ({"code": {"endsWith": "_L"}}, 1),
            ({"code": {"endsWith": "d"}}, 1),
        ):
            assert await people.count(where) == count, where

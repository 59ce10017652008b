"""Small decimals are written out, never with an exponent, and the padding of char columns is never seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from decimal import Decimal

import orjson
import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    One,
    Owned,
    Read,
    Resource,
    Settings,
    Sternpost,
    Update,
    computed,
    field,
    public,
    sum_of,
)
from sternpost.testing import Client
from tests.existing.support import execute, settings_for

SMALL = ("0.00000001", "-0.00000001", "0.00000010", "0.00000000", "1234567890.00000001")
SCHEMA = """
CREATE TABLE coins (id serial PRIMARY KEY, rate numeric(18,8) NOT NULL, loose numeric, code char(6) NOT NULL UNIQUE,
                    kind char(4) NOT NULL DEFAULT 'x');
INSERT INTO coins (rate, loose, code) VALUES (0.00000001, 1e-20, 'ab'), (0, 0e-12, ' a b');
"""


class Coin(Resource, prefix="coi", table="coins"):
    rate: Decimal = field(decimal_places=8, max_digits=18, filter=True)
    loose: Decimal | None = field(default=None, storage="numeric")
    code: str = field(max_length=6, storage="char", filter=True, unique=True)
    kind: str = field(default="x", max_length=4, storage="char")

    browse = Browse(sort=["rate", "code"], export=True, allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


external = Sternpost(Contract("coins", resources=[Coin], schema="external"), write_log=lambda line: None)


class Basket(Resource, prefix="bas"):
    """Adds up small numbers."""

    total: Decimal = computed(sum_of("lines", "rate"))
    lines: Owned[Line]

    browse = Browse(export=True, allow=public)
    read = Read(allow=public)
    create = Create(allow=public)


class Line(Resource, prefix="lin"):
    """One number."""

    basket: One[Basket]
    rate: Decimal = field(decimal_places=8, max_digits=18)


own = Sternpost(Contract("baskets", resources=[Basket, Line]), write_log=lambda line: None)


@pytest.fixture
async def coins(postgres_database: str) -> AsyncIterator[Client]:
    await execute(postgres_database, SCHEMA)
    external.use(settings_for(postgres_database))
    async with Client(external) as client:
        yield client


async def test_stored_values_are_written_out(coins: Client) -> None:
    rows = (await coins.get("/api/v1/coins?sort=-rate")).data
    assert [(row["rate"], row["loose"], row["code"], row["kind"]) for row in rows] == [
        ("0.00000001", "0.00000000000000000001", "ab", "x"),
        ("0.00000000", "0.000000000000", " a b", "x"),
    ]
    for media_type in ("application/x-ndjson", "text/csv"):
        exported = await coins.get("/api/v1/coins", headers={"accept": media_type})
        assert b"0.00000001" in exported.content
        assert b"E-" not in exported.content.upper()


async def test_written_values_come_back_alike(coins: Client) -> None:
    for number, text in enumerate(SMALL):
        made = await coins.post("/api/v1/coins", json={"rate": text, "loose": text, "code": f"c{number}"})
        assert (made.data["rate"], Decimal(made.data["loose"])) == (text, Decimal(text))
        changed = await coins.request(
            "PATCH", f"/api/v1/coins/{made.data['id']}", json={"rate": text, "code": f"c{number} "}
        )
        assert (changed.data["rate"], changed.data["code"]) == (text, f"c{number}")
        asked = await coins.get(f"/api/v1/coins?rate={text}&code=c{number}")
        assert [row["id"] for row in asked.data] == [made.data["id"]]
        assert b"E-" not in made.content + changed.content + asked.content


async def test_pages_groups_and_the_data_client_do_as_well(coins: Client) -> None:
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = await coins.get(f"/api/v1/coins?sort=code&pageSize=1&cursor={cursor}")
        found += [row["code"] for row in page.data]
        cursor = page.json()["meta"]["nextCursor"]
    assert found == [" a b", "ab"]
    assert [row["code"] for row in (await coins.get("/api/v1/coins?code[in]=ab,x&code[startsWith]=a")).data] == ["ab"]
    async with external.data() as db:
        table = db.table(Coin)
        coin = await table.get({"code": "ab"})
        assert (coin.rate, str(coin.code), coin.kind) == (Decimal("0.00000001"), "ab", "x")
        groups = await table.aggregate(by=["code"], sum=["rate"], order=["code"])
        assert [group.by["code"] for group in groups] == [" a b", "ab"]
        assert format(groups[1].sum["rate"], "f") == "0.00000001"


async def test_an_own_database_does_as_well(make_settings: Callable[..., Settings]) -> None:
    own.use(make_settings())
    async with Client(own) as client:
        for text in SMALL:
            made = await client.post("/api/v1/baskets", json={"lines": [{"rate": text}]})
            read = await client.get(f"/api/v1/baskets/{made.data['id']}")
            for answer in (made, read):
                assert (answer.data["total"], answer.data["lines"][0]["rate"]) == (text, text)
                assert orjson.loads(answer.content)
        exported = await client.get("/api/v1/baskets", headers={"accept": "text/csv"})
        assert b"0.00000001" in exported.content
        assert b"E-" not in exported.content.upper()

"""Members of objects in JSON columns of other programs, some of which hold no JSON, or another one."""

from __future__ import annotations

from decimal import Decimal

from sternpost import Browse, Contract, Payload, Resource, Sternpost, field, public
from sternpost.testing import Client
from tests.existing.support import execute, settings_for


class Spot(Payload):
    town: str = field(filter=True)
    size: int = field(default=0, filter=True)
    price: Decimal = field(default=Decimal(0), decimal_places=2, filter=True)
    open: bool = field(default=False, filter=True)


class Shop(Resource, prefix="sho", table="shops"):
    spot: Spot | None

    browse = Browse(
        allow=public, sort=[], filter=["spot.town", "spot.size", "spot.price", "spot.open"], default_sort=[]
    )


CONTRACT = Contract("shops", resources=[Shop], schema="external")
GOOD = """{"town": "York", "size": 10, "price": "9.5", "open": true}"""
OTHERS = ("""{"town": "Y", "size": 9, "price": "10.00", "open": false, "more": 1}""", "NULL")
OF_OTHER_TYPES = (
    """{"town": {"a": 1}, "size": "10", "price": "x", "open": "true"}""",
    """[1, 2]""",
    """"York\"""",
    "7",
)


def rows(*texts: str) -> str:
    return ", ".join("(NULL)" if text == "NULL" else f"('{text}')" for text in texts)


async def test_only_what_fits_is_found(database_url: str, database: str) -> None:
    for column in ("text",) if database == "sqlite" else ("json", "jsonb"):
        await find_what_fits(database_url, database, column)


async def find_what_fits(database_url: str, database: str, column: str) -> None:
    broken = ("{not JSON",) if database == "sqlite" else ()
    given = rows(GOOD, *OTHERS, *OF_OTHER_TYPES, *broken)
    table = f"DROP TABLE IF EXISTS shops; CREATE TABLE shops ({{id}}, spot {column})"
    await execute(database_url, f"{table}; INSERT INTO shops (spot) VALUES {given}")
    app = Sternpost(CONTRACT, settings=settings_for(database_url), write_log=lambda line: None)
    async with Client(app) as client:
        for query in (
            "spot.town=York",
            "spot.town[iEq]=YORK",
            "spot.town[startsWith]=Yo",
            "spot.town[contains]=or",
            "spot.size[gt]=9",
            "spot.size[in]=10,11",
            "spot.price[lt]=10",
            "spot.price=9.50",
            "spot.open=true",
        ):
            more = "&spot.town=York" if database == "sqlite" else ""  # which compares values of other types, too
            answer = await client.get(f"/api/v1/shops?{query}{more if 'town' not in query else ''}")
            assert answer.status == 200, (query, answer.content)
            assert [row["spot"]["town"] for row in answer.json()["data"]] == ["York"], query

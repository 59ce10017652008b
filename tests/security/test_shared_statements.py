"""Calls share statements and connections: one of them never costs another more than its own work."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from sternpost import (
    Browse,
    Changed,
    Contract,
    Create,
    Read,
    Resource,
    Settings,
    Sternpost,
    Version,
    field,
    public,
)
from sternpost.storage.postgresql.database import STATEMENTS_KEPT
from sternpost.testing import Client


class Part(Resource, prefix="prt"):
    weight: int = field(default=0)
    price: int = field(default=0)
    first: str = field(default="")
    second: str = field(default="")
    third: str = field(default="")
    fourth: str = field(default="")
    fifth: str = field(default="")
    sixth: str = field(default="")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)


def grams(tons: str) -> int:
    """What an older version's tons are in the newest one; large ones fit into no column."""
    return int(tons) * 10**6


def wrong(cents: str) -> int:
    """A conversion with a mistake in it."""
    return cents if cents == "13" else int(cents)  # pyright: ignore[reportReturnType]


TEXT = {"type": "string", "max_length": 30}
OLDER = Version(
    "v1",
    [
        Changed(Part, "weight", was=TEXT, up=grams, down=lambda grams: str(grams // 10**6)),
        Changed(Part, "price", was=TEXT, up=wrong, down=str),
    ],
)


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    contract = Contract("parts", resources=[Part], api_version="v2", older=[OLDER])
    app = Sternpost(contract, settings=make_settings(database_pool_size=1), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


async def test_what_a_conversion_makes_is_checked_before_it_meets_others(client: Client) -> None:
    bodies = [{"weight": str(number)} for number in range(40)]
    bodies[7] = {"weight": str(10**15)}
    bodies[9] = {"price": "13"}
    calls = [client.post("/api/v1/parts", json=body) for body in bodies]
    answers = await asyncio.gather(*calls)
    statuses = [answer.status for answer in answers]
    assert (statuses[7], answers[7].error["details"][0]["path"]) == (400, "weight")
    assert statuses[9] == 500
    assert {status for number, status in enumerate(statuses) if number not in (7, 9)} == {201}
    stored = (await client.get("/api/v2/parts?pageSize=100")).data
    assert sorted(row["weight"] for row in stored) == sorted(
        grams(str(number)) for number in range(40) if number not in (7, 9)
    )


@pytest.mark.parametrize("database", ["postgresql"])
async def test_the_fields_that_are_asked_for_do_not_grow_the_server(client: Client) -> None:
    names = ["weight", "price", "first", "second", "third", "fourth", "fifth", "sixth"]
    shapes = [",".join(chosen) for count in (2, 3, 4, 5) for chosen in itertools.combinations(names, count)]
    assert len(shapes) > STATEMENTS_KEPT
    for shape in shapes:
        assert (await client.get(f"/api/v2/parts?fields={shape}")).status == 200
    async with client.app.data() as db:
        ((kept,),) = [row.values() for row in await db.sql("select count(*) from pg_prepared_statements")]
    assert kept <= STATEMENTS_KEPT + 2


class Seal(Resource, prefix="sel"):
    code: str = field(unique=True)

    create = Create(allow=public)


async def test_no_row_waits_for_what_another_waits_for(make_settings: Callable[..., Settings], database: str) -> None:
    """A new row whose unique value is being written elsewhere waits for that; those that came with it do not."""
    app = Sternpost(Contract("seals", resources=[Seal]), settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client, app.data() as db:
        held, release = asyncio.Event(), asyncio.Event()

        async def hold() -> None:
            with suppress(KeyError):
                async with db.transaction():
                    await db.table(Seal).create({"code": "0"})
                    held.set()
                    await release.wait()
                    raise KeyError

        holding = asyncio.create_task(hold())
        await held.wait()
        sent = [asyncio.create_task(client.post("/api/v1/seals", json={"code": str(number)})) for number in range(6)]
        if database == "postgresql":  # SQLite has one writer: whoever writes waits for it
            answers = await asyncio.wait_for(asyncio.gather(*sent[1:]), 2)
            assert [answer.status for answer in answers] == [201] * 5
            assert not sent[0].done()
        release.set()
        await holding
        assert [answer.status for answer in await asyncio.gather(*sent)] == [201] * 6

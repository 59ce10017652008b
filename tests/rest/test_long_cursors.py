"""A cursor stays short whatever the list is sorted by, and every cursor that was given out is accepted."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from operator import itemgetter
from typing import Any

import asyncpg
import pytest

from sternpost import Browse, Contract, Create, Delete, Read, Resource, Settings, Sternpost, Update, field, public
from sternpost.pipeline.cursors import TEXT_BYTES_MAX, Cursors
from sternpost.plan.query import ordered
from sternpost.testing import Client
from tests.support.rounds import rounds as proved_in

LENGTH = 10_000
HEADERS_MAX = 8_000
CURSOR_MAX = 4_000
SORTS = (
    "title",
    "-title",
    "title,-body",
    "-body,title",
    "note,title",
    "-note,-title",
    "rank,-title",
    "-body,rank,note",
)
ALPHABETS = ("ab", "é漢😀", '\x01\x1f"\\', "\ud7ff\ue000\U0010ffff\U00010000")
PATH = "/api/v1/texts"


class Text(Resource, prefix="txt"):
    """Something long."""

    title: str = field(max_length=LENGTH, filter=["ne"])
    body: str = field(max_length=LENGTH, default="")
    note: str | None = field(default=None, max_length=LENGTH)
    rank: int = field(default=0, filter=True)

    browse = Browse(allow=public, sort=["title", "body", "note", "rank"], page_size=20, max_page_size=100)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)


CONTRACT = Contract("long-texts", resources=[Text])


@pytest.fixture
async def client(database: str, make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    settings = make_settings()
    async with Client(Sternpost(CONTRACT, settings=settings)) as client:
        if database == "postgresql":  # whose indexes take no text that is long even when it is compressed
            connection = await asyncpg.connect(settings.database_url.get_secret_value())
            for name in ("title", "body", "note"):
                await connection.execute(f'DROP INDEX "ix_texts_{name}"')
            await connection.close()
        yield client


def text_of(chance: random.Random, beginnings: list[str]) -> str:
    """Any characters, but those that are none; often with a long beginning that others have as well."""
    length = min(LENGTH, int(LENGTH * chance.random() ** 3 * 1.2))
    alphabet = chance.choice((*ALPHABETS, ""))
    characters = (
        chance.choices(alphabet, k=length)
        if alphabet
        else [chr(n if n < 0xD800 else n + 0x800) for n in chance.choices(range(1, 0x110000 - 0x800), k=length)]
    )
    return (chance.choice(beginnings) + "".join(characters))[:LENGTH]


def rows_of(chance: random.Random, count: int) -> list[dict[str, Any]]:
    beginnings = ["", "", "漢" * 3000, "a" * 1100, "\U0010ffff" * 2500, "\x01" * 9990]
    return [
        {
            "title": text_of(chance, beginnings),
            "body": text_of(chance, beginnings),
            "note": text_of(chance, beginnings) if chance.random() < 0.7 else None,
            "rank": chance.randint(0, 2),
        }
        for _ in range(count)
    ]


async def filled(client: Client, rows: list[dict[str, Any]]) -> None:
    async with client.app.data() as db:
        await db.table(Text).create_many(rows)


def in_order(rows: list[dict[str, Any]], sort: str) -> list[str]:
    """The ids as Python sorts the rows: nulls are the greatest, and equal rows go by their id."""
    names = [*sort.split(","), f"{'-' if sort.rpartition(',')[2].startswith('-') else ''}id"]
    found = rows
    for name in reversed(names):
        key, descending = name.removeprefix("-"), name.startswith("-")
        values = [row for row in found if row[key] is not None]
        nulls = [row for row in found if row[key] is None]
        values.sort(key=itemgetter(key), reverse=descending)
        found = [*nulls, *values] if descending else [*values, *nulls]
    return [row["id"] for row in found]


async def page(client: Client, query: str) -> tuple[list[dict[str, Any]], str | None]:
    """A page and its cursor, after a look at what is sent along."""
    answer = await client.get(f"{PATH}?{query}")
    assert answer.status == 200, (query, answer.content[:500])
    assert sum(len(name) + len(value) + 4 for name, value in answer.headers.items()) < HEADERS_MAX
    cursor = answer.json()["meta"].get("nextCursor")
    assert len(cursor or "") < CURSOR_MAX
    assert ("link" in answer.headers) == (cursor is not None)
    return answer.data, cursor


async def walk(client: Client, query: str, cursor: str | None = "") -> list[dict[str, Any]]:
    """A list by its cursors to the end, which has to come."""
    rows: list[dict[str, Any]] = []
    for _ in range(1000):
        if cursor is None:
            return rows
        more, cursor = await page(client, f"{query}&cursor={cursor}")
        rows += more
    raise AssertionError("the walk does not end")


@proved_in(2, 20)
async def test_a_walk_over_any_texts_is_the_sorted_list(client: Client, rounds: int) -> None:
    chance = random.Random(20_000)
    rows: list[dict[str, Any]] = []
    for _ in range(rounds):
        await filled(client, rows_of(chance, 12))
        rows = (await client.get(f"{PATH}?pageSize=100")).data
        for sort in SORTS:
            expected = in_order(rows, sort)
            walked = await walk(client, f"sort={sort}&pageSize={chance.randint(1, 4)}")
            assert [row["id"] for row in walked] == expected, sort
        if len(rows) > 80:
            async with client.app.data() as db:
                await db.table(Text).delete_many({})


@pytest.mark.parametrize("sort", ["title", "-title", "rank,-title,body", "title,-body"])
async def test_rows_that_begin_alike_are_shown_once(client: Client, sort: str) -> None:
    await filled(client, [{"title": "ü" * 9000 + str(n % 5), "body": "y" * 9000, "rank": n % 2} for n in range(23)])
    rows = (await client.get(f"{PATH}?pageSize=100")).data
    walked = await walk(client, f"sort={sort}&pageSize=3")
    assert [row["id"] for row in walked] == in_order(rows, sort)


@pytest.mark.parametrize("going", ["deleted", "changed"])
@pytest.mark.parametrize("sort", ["title", "-title", "rank,-title", "-body,title"])
async def test_a_cursor_outlives_its_row(client: Client, sort: str, going: str) -> None:
    """Rows may be shown again then, but none is left out, and the walk ends."""
    await filled(
        client, [{"title": "ü" * 2000 + f"{n:02}", "body": "y" * 2000 + f"{n % 3}", "rank": n % 2} for n in range(12)]
    )
    whole = in_order((await client.get(f"{PATH}?pageSize=100")).data, sort)
    first, cursor = await page(client, f"sort={sort}&pageSize=5&cursor=")
    last = first[-1]["id"]
    if going == "deleted":
        assert (await client.delete(f"{PATH}/{last}")).status == 204
    else:
        assert (await client.patch(f"{PATH}/{last}", json={"title": "ü", "body": "z", "rank": 1})).status == 200
    rest = [row["id"] for row in await walk(client, f"sort={sort}&pageSize=5", cursor)]
    behind = [key for key in rest if key not in whole[:5]]
    assert behind == whole[5:]
    assert len(rest) < 2 * len(whole)


async def test_a_change_beside_the_order_changes_nothing(client: Client) -> None:
    await filled(client, [{"title": "ü" * 9000 + f"{n:02}"} for n in range(6)])
    first, cursor = await page(client, "sort=title&pageSize=2&cursor=")
    assert (await client.patch(f"{PATH}/{first[-1]['id']}", json={"rank": 7, "body": "new"})).status == 200
    rest = await walk(client, "sort=title&pageSize=2", cursor)
    assert [row["title"][-2:] for row in rest] == ["02", "03", "04", "05"]


async def test_a_link_that_would_be_too_long_is_left_out(client: Client) -> None:
    """The cursor in the body is there however long the parameters are."""
    await filled(client, [{"title": "ü" * 9000 + str(n)} for n in range(3)])
    for length, given in ((3_000, True), (7_000, False)):
        answer = await client.get(f"{PATH}?sort=title&pageSize=1&title[ne]={'x' * length}")
        assert answer.status == 200, answer.content
        assert ("link" in answer.headers) == given
        assert answer.json()["meta"]["nextCursor"]
        assert sum(len(name) + len(value) + 4 for name, value in answer.headers.items()) < HEADERS_MAX


def test_several_texts_share_the_room_of_a_cursor() -> None:
    cursors, names = Cursors(bytes(32)), ("title", "body", "note")
    for length in (TEXT_BYTES_MAX // 2, TEXT_BYTES_MAX - 2, LENGTH):
        position = (*("x" * length for _ in names), "0" * 32)
        kept = cursors.read(b"list", cursors.write(b"list", position, tuple(ordered(name, False) for name in names)))
        texts = [str(part) for part in kept.position[:-1]]
        assert kept.digest is None or sum(map(len, texts)) <= TEXT_BYTES_MAX


@proved_in(300, 20_000)
def test_whatever_is_behind_a_position_is_behind_its_part(rounds: int) -> None:
    """What a cursor holds of a text leaves no text out that comes behind the whole."""
    chance, cursors = random.Random(3), Cursors(bytes(32))
    beginnings = ["", "a" + "\U0010ffff" * 3000, "\ud7ff" * 3000, "a" * 1000, "\x01" * 3000]
    for _ in range(rounds):
        text, other = text_of(chance, beginnings), text_of(chance, beginnings)
        if chance.random() < 0.5:
            other = text[: chance.randint(0, len(text))] + other[:10]
        for descending in (False, True):
            order = (ordered("title", descending),)
            cursor = cursors.write(b"list", (text, "0" * 32), order)
            assert len(cursor) < CURSOR_MAX
            place = cursors.read(b"list", cursor)
            if place.digest is None:
                assert place.position == (text, "0" * 32)
            elif (other < text) if descending else (other > text):
                assert (other < place.position[0]) if descending else (other > place.position[0])

"""Lists of an inferred table by a text of any length: every cursor that was given out is accepted."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import asyncpg
import pytest

from sternpost.testing import Client
from tests.existing.support import settings_for
from tests.existing.test_inferred import inferred

TABLE = "CREATE TABLE note (id {key} PRIMARY KEY, title text NOT NULL, more text)"
INDEX = "CREATE INDEX note_{name} ON note {using} ({name})"
"""An inferred list is sorted by what has an index. In PostgreSQL only one of digests takes texts of any length."""

COUNT = 40


def texts() -> list[tuple[int | str, str, str | None]]:
    chance = random.Random(7)
    characters = [chr(n) for n in (*range(1, 0xD800, 977), *range(0xE000, 0x110000, 4999))]
    found: list[tuple[int | str, str, str | None]] = []
    for number in range(1, COUNT + 1):
        beginning = chance.choice(["", "漢" * 4000])
        title = beginning + "".join(chance.choices(characters, k=chance.randint(0, 6000)))
        found.append((number, title, None if number % 3 == 0 else title[::-1]))
    return found


@pytest.mark.parametrize("key", ["integer", "varchar(8)"])
@pytest.mark.parametrize("sort", ["title", "-title", "more,-title"])
async def test_a_walk_over_an_inferred_table(
    database: str, database_url: str, tmp_path: Path, sort: str, key: str
) -> None:
    rows = [(number if key == "integer" else f"k{number:02}", title, more) for number, title, more in texts()]
    if database == "sqlite":
        connection = sqlite3.connect(database_url.removeprefix("sqlite:///"))
        connection.execute(TABLE.format(key=key))
        for name in ("title", "more"):
            connection.execute(INDEX.format(name=name, using=""))
        connection.executemany("INSERT INTO note VALUES (?, ?, ?)", rows)
        connection.commit()
        connection.close()
    else:
        server = await asyncpg.connect(database_url)
        await server.execute(TABLE.format(key=key))
        for name in ("title", "more"):
            await server.execute(INDEX.format(name=name, using="USING hash"))
        await server.executemany("INSERT INTO note VALUES ($1, $2, $3)", rows)
        await server.close()
    module = inferred(database_url, tmp_path)
    module.app.use(settings_for(database_url))
    async with Client(module.app) as client:
        token = client.token("reader", "notes:read")
        seen: list[tuple[str, str | None]] = []
        cursor = ""
        while cursor is not None:
            answer = await client.get(f"/api/v1/notes?sort={sort}&pageSize=3&cursor={cursor}", token=token)
            assert answer.status == 200, answer.content[:300]
            seen += [(row["title"], row["more"]) for row in answer.data]
            cursor = answer.json()["meta"]["nextCursor"]
            assert len(cursor or "") < 4_000
    titles = [(title, more) for _, title, more in rows]
    if sort == "more,-title":
        expected = sorted(titles, key=lambda row: row[0], reverse=True)
        expected.sort(key=lambda row: (row[1] is None, row[1] or ""))
    else:
        expected = sorted(titles, key=lambda row: row[0], reverse=sort.startswith("-"))
    assert seen == expected

"""What is read of a table of another program can be written back unchanged, and a walk by cursor shows each row once: for
every type of column that is inferred, with values from its ends and by chance."""

from __future__ import annotations

import json
import random
import sqlite3
import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from sternpost.testing import Client
from tests.existing.support import settings_for
from tests.existing.test_inferred import inferred
from tests.existing.test_rich_schemas import Caller

ROWS = 24
SEEDS = range(3)

LETTERS = ("", " ", "a", "A", "aa", "b", "ä", "ß", "€", "\U0001f600", "é", "z", "\n", "'", '"', "\\", "%", "_", "a,b")


def text(chance: random.Random, most: int = 12) -> str:
    return "".join(chance.choices(LETTERS, k=chance.randint(0, most)))[:most]


def single(number: float) -> float:
    """The number of single precision that is nearest."""
    return struct.unpack("f", struct.pack("f", number))[0]


def decimal(chance: random.Random, digits: int, places: int) -> Decimal:
    number = chance.choice([0, 1, -1, 10**digits - 1, 1 - 10**digits, chance.randint(1 - 10**digits, 10**digits - 1)])
    return Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -places))


def anything(chance: random.Random, depth: int = 2) -> Any:
    kind = chance.randint(0, 7 if depth else 5)
    match kind:
        case 0:
            return chance.choice([None, True, False])
        case 1:
            return chance.choice([0, -1, 2**63, -(2**64), 10**30, 2**53 + 1])
        case 2:
            return chance.choice([0.1, 1.0, -0.0, 1e300, 5e-324])
        case 3:
            return decimal(chance, 25, 20)
        case 4 | 5:
            return text(chance)
        case 6:
            return [anything(chance, depth - 1) for _ in range(chance.randint(0, 3))]
        case _:
            return {text(chance): anything(chance, depth - 1) for _ in range(chance.randint(0, 3))}


def instant(chance: random.Random) -> datetime:
    ends = [datetime.min, datetime.max, datetime(2000, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999)]
    return chance.choice([*ends, datetime(1900, 1, 1) + timedelta(microseconds=chance.randrange(2**52))])


def integer(bits: int) -> Callable[[random.Random], int]:
    ends = [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, 0, 1, -1]
    return lambda chance: chance.choice([*ends, chance.randint(ends[0], ends[1])])


def real(chance: random.Random) -> float:
    return single(chance.choice([0.1, -0.0, 1.5, 3.4028234663852886e38, 1e-45, chance.uniform(-1e6, 1e6)]))


def double(chance: random.Random) -> float:
    return chance.choice([0.1, -0.0, 1.0, 1.7976931348623157e308, 5e-324, 1e16, chance.uniform(-1e9, 1e9)])


def free(chance: random.Random) -> Decimal:
    return decimal(chance, chance.randint(1, 60), chance.randint(0, 30))


POSTGRESQL: dict[str, tuple[str, Callable[[random.Random], Any]]] = {
    "tiny": ("smallint", integer(16)),
    "plain": ("integer", integer(32)),
    "large": ("bigint", integer(64)),
    "single": ("real", real),
    "twice": ("double precision", double),
    "price": ("numeric(10,2)", lambda chance: decimal(chance, 10, 2)),
    "wei": ("numeric(78,0)", lambda chance: decimal(chance, 78, 0)),
    "part": ("numeric(38,18)", lambda chance: decimal(chance, 38, 18)),
    "loose": ("numeric", free),
    "words": ("text", text),
    "short": ("varchar(9)", lambda chance: text(chance, 9)),
    "fixed": ("char(6)", lambda chance: text(chance, 6)),
    "named": ("name", lambda chance: text(chance, 9)),
    "sized": ("short_text", lambda chance: text(chance, 5)),
    "flag": ("boolean", lambda chance: chance.random() < 0.5),
    "day": ("date", lambda chance: chance.choice([date.min, date.max, instant(chance).date()])),
    "at": ("timestamptz", lambda chance: instant(chance).replace(tzinfo=UTC)),
    "local": ("timestamp", instant),
    "key": ("uuid", lambda chance: UUID(int=chance.choice([0, 2**128 - 1, chance.getrandbits(128)]))),
    "mood": ("mood", lambda chance: chance.choice(["sad", "it's", "a b"])),
    "body": ("jsonb", lambda chance: json_text(anything(chance))),
    "raw": ("json", lambda chance: json_text(anything(chance))),
}
"""Columns by name: their type, and what makes a value for the driver."""

SQLITE: dict[str, tuple[str, Callable[[random.Random], Any]]] = {
    "large": ("INTEGER", integer(64)),
    "twice": ("REAL", double),
    "price": ("DECIMAL(10,2)", lambda chance: float(decimal(chance, 10, 2))),
    "words": ("TEXT", text),
    "short": ("VARCHAR(9)", lambda chance: text(chance, 9)),
    "flag": ("BOOLEAN", lambda chance: chance.randint(0, 1)),
    "day": ("DATE", lambda chance: chance.choice([date.min, date.max, instant(chance).date()]).isoformat()),
    "at": ("DATETIME", lambda chance: instant(chance).isoformat(sep=" ")),
    "body": ("JSON", lambda chance: json_text([anything(chance)])),  # of a number SQLite would keep no text
}

SCHEMA = """CREATE DOMAIN short_text AS varchar(5); CREATE TYPE mood AS ENUM ('sad', 'it''s', 'a b');"""


def json_text(value: Any) -> str:
    """JSON with every digit of its numbers."""
    match value:
        case Decimal():
            return format(value, "f")
        case list():
            return f"[{', '.join(map(json_text, value))}]"
        case dict():
            return "{" + ", ".join(f"{json.dumps(name)}: {json_text(item)}" for name, item in value.items()) + "}"
        case _:
            return json.dumps(value)


async def check(call: Caller, columns: dict[str, Any], chance: random.Random, read: Callable[[], Any]) -> None:
    """Every row is walked over in every order, and written back as it was read."""
    before = await read()
    rows: dict[str, dict[str, Any]] = {}
    for row in await call.rows("things?pageSize=100"):
        rows[row["id"]] = row
    assert len(rows) == ROWS
    for name in columns:
        for sort in (name, f"-{name}"):
            seen: list[str] = []
            cursor: str | None = ""
            size = chance.randint(1, 7)
            while cursor is not None:
                answer = await call("GET", f"things?sort={sort}&pageSize={size}&cursor={cursor}")
                if answer.status == 400:  # JSON and flags have no order
                    assert name in ("body", "raw", "flag"), answer.json()
                    seen = [*rows]
                    break
                assert [row == rows[row["id"]] for row in answer.data] == [True] * len(answer.data)
                seen += [row["id"] for row in answer.data]
                cursor = answer.json()["meta"]["nextCursor"]
                assert len(seen) <= ROWS, f"the walk by {sort} shows rows twice"
            assert sorted(seen) == sorted(rows), sort
    for key, row in rows.items():
        values = {name: value for name, value in row.items() if name != "id"}
        for part in (values, *({name: value} for name, value in values.items())):
            changed = await call("PATCH", f"things/{key}", part)
            assert changed.status == 200, (part, changed.json())
            assert changed.data == row
        assert (await call("GET", f"things/{key}")).data == row
    after = await read()
    changed_columns = [
        (left[0], one, other)
        for left, right in zip(before, after, strict=True)
        for one, other in zip(left, right, strict=True)
        if one != other
    ]
    assert changed_columns == []


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_type_of_postgresql(postgres_database: str, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    connection = await asyncpg.connect(postgres_database)
    declared = ", ".join(f"{name} {kind}" for name, (kind, _) in POSTGRESQL.items())
    await connection.execute(f"{SCHEMA} CREATE TABLE thing (id serial PRIMARY KEY, {declared})")
    for name, (kind, _) in POSTGRESQL.items():
        if not kind.startswith("json"):
            await connection.execute(f"CREATE INDEX ON thing ({name})")
    # as text: the driver alone would take the last day that Python knows for an infinity
    places = ", ".join(f"${number}::text::{kind}" for number, (kind, _) in enumerate(POSTGRESQL.values(), start=1))
    for _ in range(ROWS):
        values = [None if chance.random() < 0.15 else str(make(chance)) for _, make in POSTGRESQL.values()]
        await connection.execute(f"INSERT INTO thing ({', '.join(POSTGRESQL)}) VALUES ({places})", *values)
    module = inferred(postgres_database, tmp_path, "--write")
    module.app.use(settings_for(postgres_database))

    async def read() -> list[Any]:
        shown = ", ".join(f"{name}::text" for name in POSTGRESQL)
        rows = await connection.fetch(f"SELECT id, {shown} FROM thing ORDER BY id")
        # a client is told null for that of JSON and for none, and 0.0 is the number 0.00
        return [
            (*row[:-2], *(json.loads(body or "null", parse_float=Decimal) for body in row[-2:]))
            for row in map(tuple, rows)
        ]

    try:
        async with Client(module.app) as client:
            assert {field.name for field in client.app.plan.resources[0].fields} == {"id", *POSTGRESQL}
            await check(Caller(client), POSTGRESQL, chance, read)
    finally:
        await connection.close()


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_type_of_sqlite(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    file = tmp_path / "things.sqlite"
    connection = sqlite3.connect(file, isolation_level=None)
    declared = ", ".join(f"{name} {kind}" for name, (kind, _) in SQLITE.items())
    connection.execute(f"CREATE TABLE thing (id INTEGER PRIMARY KEY, {declared})")
    for name, (kind, _) in SQLITE.items():
        if kind != "JSON":
            connection.execute(f"CREATE INDEX thing_{name} ON thing ({name})")
    places = ", ".join("?" * len(SQLITE))
    for _ in range(ROWS):
        values = [None if chance.random() < 0.15 else make(chance) for _, make in SQLITE.values()]
        connection.execute(f"INSERT INTO thing ({', '.join(SQLITE)}) VALUES ({places})", values)
    module = inferred(f"sqlite:///{file}", tmp_path, "--write")
    module.app.use(settings_for(f"sqlite:///{file}"))

    async def read() -> list[Any]:
        rows = connection.execute("SELECT * FROM thing ORDER BY id").fetchall()
        body = list(SQLITE).index("body") + 1
        return [(*row[:body], json.loads(row[body] or "null", parse_float=Decimal), *row[body + 1 :]) for row in rows]

    async with Client(module.app) as client:
        assert {field.name for field in client.app.plan.resources[0].fields} == {"id", *SQLITE}
        await check(Caller(client), SQLITE, chance, read)
    connection.close()

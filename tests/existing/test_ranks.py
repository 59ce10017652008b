"""Enums with an order in tables of other programs, which may hold values that are not declared."""

from __future__ import annotations

from typing import Literal

import pytest

from sternpost import Browse, Contract, Database, Resource, Sternpost, Table, field, public
from sternpost.testing import Client
from tests.existing.support import execute, settings_for

VALUES = ("high", "low", "other", "mid", "low", None, "high")
ENUM = "CREATE TYPE level AS ENUM ('high', 'low', 'mid', 'other');"
SCHEMA = """
CREATE TABLE tasks ({id}, state TEXT NOT NULL, level %s);
INSERT INTO tasks (state, level) VALUES %s;
"""


class Task(Resource, prefix="tas", table="tasks"):
    state: Literal["low", "mid", "high"] = field(ordered=True, filter=True)
    level: Literal["low", "mid", "high"] | None = field(ordered=True, filter=True)

    browse = Browse(sort=["state", "level"], allow=public)


CONTRACT = Contract("tasks", resources=[Task], schema="external")


@pytest.fixture
async def client(database_url: str, database: str) -> Client:
    rows = [(value or "mid", "NULL" if value is None else repr(value)) for value in VALUES]
    values = ", ".join(f"({state!r}, {level})" for state, level in rows)
    types = ENUM if database == "postgresql" else ""
    await execute(database_url, types + SCHEMA % ("level" if types else "TEXT", values))
    app = Sternpost(CONTRACT, settings=settings_for(database_url), write_log=lambda line: None)
    return Client(app)


async def test_lists_go_through_every_row_in_order(client: Client) -> None:
    ends: dict[str, list[str | None]] = {"state": ["other"], "level": ["other", None]}
    async with client:
        for name, last in ends.items():
            for sort, backwards in ((name, False), (f"-{name}", True)):
                found, cursor = [], ""
                while cursor is not None:
                    page = await client.get(f"/api/v1/tasks?sort={sort}&pageSize=2&cursor={cursor}")
                    found += [row[name] for row in page.json()["data"]]
                    cursor = page.json()["meta"]["nextCursor"]
                known = [value for value in found if value in ("low", "mid", "high")]
                ranks = [("low", "mid", "high").index(str(value)) for value in known]
                assert ranks == sorted(ranks, reverse=backwards), found
                rest = found[: len(last)] if backwards else found[-len(last) :]
                assert {*rest} == {*last}, found
                assert len(found) == len(VALUES)
        above = await client.get("/api/v1/tasks?level[gte]=mid")
        assert sorted(row["level"] for row in above.json()["data"]) == ["high", "high", "mid"]
        async with client.app.data(Database) as db:
            (group,) = await Table(db, Task).aggregate(min=["state"], max=["level"])
        assert (group.min["state"], group.max["level"]) == ("low", "high")

"""No short request makes a long answer of its own mistakes, nor a long log line, however large the contract is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sternpost import (  # noqa: F401  (some names stand in annotations that are texts)
    Browse,
    Contract,
    Create,
    Many,
    One,
    Resource,
    Settings,
    Sternpost,
    field,
    many,
    one,
    public,
)
from sternpost.testing import Client
from tests.conftest import LogLines

MOST_BYTES = 32_000
NUMBERS = [f"a_rather_long_name_of_a_field_number_{number}" for number in range(80)]
FIELDS: dict[str, Any] = {name: field(default=0, filter=True) for name in NUMBERS}

Wide = type(
    "Wide",
    (Resource,),
    {
        **FIELDS,
        "parent": one(filter=True),
        "kids": many(by="parent"),
        "browse": Browse(sort=NUMBERS, allow=public),
        "create": Create(allow=public),
        "__annotations__": {
            **dict.fromkeys(NUMBERS, int),
            "parent": "One[Wide] | None",
            "kids": "Many[Wide]",
        },
        "__module__": __name__,
    },
    prefix="wid",
)
"""A resource with many long names."""

EVERYTHING = [
    "&".join(f"a{number}=" for number in range(100)),
    "&".join(f"kids.a{number}=" for number in range(100)),
    "&".join(f"{'kids.' * (1 + number % 4)}a{number}=" for number in range(100)),
    "&".join(f"aRatherLongNameOfAFieldNumber{number}[zz]=1" for number in range(80)),
    "&".join(f"{'kids.' * (number % 5)}sort=x{number}" for number in range(5)),
    "fields=" + ",".join(["x"] * 199),
    "fields=" + "x" * 60_000,
    "include=" + "x" * 60_000,
    "sort=" + "x" * 60_000,
    "&".join(f"{'a' * 200}{number}=" for number in range(100)),
    "&".join(f"aRatherLongNameOfAFieldNumber{number}=" + "9" * 500 for number in range(80)),
]


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    app = Sternpost(Contract("wide", resources=[Wide]), settings=make_settings(), write_log=log_lines)
    async with Client(app) as client:
        yield client


@pytest.mark.parametrize("query", EVERYTHING, ids=range(len(EVERYTHING)))
async def test_a_wrong_query_is_answered_in_few_bytes(client: Client, log_lines: LogLines, query: str) -> None:
    log_lines.raw.clear()
    answer = await client.get(f"/api/v1/wides?{query}")
    assert answer.status in (400, 414)
    assert len(answer.content) < MOST_BYTES
    assert max(map(len, log_lines.raw)) < MOST_BYTES
    problems = answer.error["details"]
    assert len(problems) <= 101
    assert all(problem["path"] for problem in problems if problem["code"] != "more_problems")


async def test_the_names_that_are_allowed_are_told_once(client: Client) -> None:
    problems = (await client.get("/api/v1/wides?a=1&b=2&kids.c=3&sort=d")).error["details"]
    assert [problem["path"] for problem in problems] == ["a", "b", "kids.c", "sort"]
    first, second, third, fourth = (problem["message"] for problem in problems)
    assert first.startswith("There is no such parameter; allowed are page, pageSize, sort, include, aRather")
    assert first.endswith(" more")
    assert second == "There is no such parameter"
    assert third.startswith("There is no such parameter; allowed are kids.limit, kids.sort, kids.aRather")
    assert fourth == "Cannot sort by 'd'"

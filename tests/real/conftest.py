"""The loaded music store, once for each kind of database, and the original beside it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from chinook.contract import contract
from chinook.load import hex_id, load, source_path

from sternpost import Settings, Sternpost
from sternpost.ids import decode
from sternpost.testing import Client
from tests.conftest import DATABASES, SECRET, LogLines, not_run, shared_database

FOLDER = Path(__file__).parent
PREFIXES = {
    "Artist": "art",
    "Album": "alb",
    "Track": "trk",
    "Genre": "gen",
    "MediaType": "med",
    "Playlist": "pla",
    "Customer": "cus",
    "Employee": "emp",
    "Invoice": "inv",
    "InvoiceLine": "lin",
}


def id_of(table: str, key: int | None) -> str | None:
    """The id under which a row of the original was loaded."""
    return None if key is None else f"{PREFIXES[table]}_{hex_id(table, key)}"


def settings_for(url: str) -> Settings:
    return Settings(env="test", database_url=url, jwt_secret=SECRET, docs=False)  # pyright: ignore[reportArgumentType]


class Original:
    """SQL on the original file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)

    def rows(self, sql: str, *arguments: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, arguments).fetchall()

    def column(self, sql: str, *arguments: Any) -> list[Any]:
        return [row[0] for row in self.rows(sql, *arguments)]

    def one(self, sql: str, *arguments: Any) -> Any:
        return self.column(sql, *arguments)[0]

    def ids(self, table: str, sql: str, *arguments: Any) -> list[str | None]:
        """The ids of the keys that a query gives."""
        return [id_of(table, key) for key in self.column(sql, *arguments)]


@dataclass
class Page:
    """An answer to a GET, and what it cost."""

    data: Any
    meta: dict[str, Any]
    statements: int

    @property
    def ids(self) -> list[str]:
        return [row["id"] for row in self.data]


class Store:
    """The application under test."""

    def __init__(self, client: Client, log_lines: LogLines) -> None:
        self.client = client
        self.log_lines = log_lines
        self.token = client.token("reader", "store:read")

    async def get(self, path: str, **parameters: Any) -> Page:
        """A GET that succeeds; parameters are named as in the address, such as `**{"name[in]": "a,b"}`."""
        query = "?" + urlencode(parameters) if parameters else ""
        answer = await self.client.get(f"/api/v1/{path}{query}", token=self.token)
        assert answer.status == 200, answer.json()
        body = answer.json()
        return Page(body["data"], body["meta"], self.log_lines.requests[-1]["statements"])

    async def walk(self, path: str, size: int = 100, **parameters: Any) -> list[dict[str, Any]]:
        """Every row of a list, page after page."""
        rows: list[dict[str, Any]] = []
        number, pages = 1, 1
        while number <= pages:
            page = await self.get(path, page=number, pageSize=size, **parameters)
            assert page.meta["page"] == number
            assert len(page.data) == min(size, page.meta["totalCount"] - len(rows))
            rows += page.data
            pages, number = page.meta["totalPages"], number + 1
        return rows


@pytest.fixture(scope="session")
def original() -> Iterator[Original]:
    path = source_path().resolve()
    if not path.is_file():
        not_run("Chinook", f"there is no file {path}; set CHINOOK_DB to the path of chinook.sqlite")
    original = Original(path)
    yield original
    original.connection.close()


@pytest.fixture(scope="session", params=DATABASES)
def loaded(request: pytest.FixtureRequest, original: Original) -> Iterator[tuple[str, dict[str, int]]]:
    """The URL of a database that holds the store, and what loading it reported."""

    async def fill(url: str) -> dict[str, int]:
        return await load(Sternpost(contract, settings=settings_for(url)), original.path)

    with shared_database(request.param, request) as url:
        yield url, asyncio.run(fill(url))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def store(loaded: tuple[str, dict[str, int]]) -> AsyncIterator[Store]:
    """The running application on that database. No test changes a row, so all of them share it."""
    log_lines = LogLines()
    async with Client(
        Sternpost(contract, settings=settings_for(loaded[0]), write_log=log_lines), create_schema=False
    ) as client:
        yield Store(client, log_lines)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the shared application run in its event loop."""
    for item in items:
        if pytest_asyncio.is_async_test(item) and "store" in item.fixturenames and FOLDER in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


def key_of(table: str, id: str) -> int:
    """The key in the original of a row that the store answered with."""
    digits = decode(PREFIXES[table], id)
    assert digits is not None
    return int(digits[17:], 16)

"""Databases with a little of everything: what is inferred of them, and that it works."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from sternpost import Sternpost
from sternpost.app.infer import infer_contract
from sternpost.testing import Client, Response
from tests.conftest import LogLines
from tests.existing.support import settings_for
from tests.existing.test_inferred import GOLDEN, ID, infer, inferred

SCHEMAS = Path(__file__).parent / "schemas"
ADA = "0f8fad5bd9cb469fa16570867728950e"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    file = tmp_path / "rich-lite.sqlite"
    with sqlite3.connect(file) as connection:
        connection.executescript((SCHEMAS / "sqlite.sql").read_text("utf-8"))
    connection.close()
    return f"sqlite:///{file}"


@pytest.fixture
async def postgresql_url(postgres_database: str) -> str:
    connection = await asyncpg.connect(postgres_database)
    await connection.execute((SCHEMAS / "postgresql.sql").read_text("utf-8"))
    await connection.close()
    return postgres_database


class Caller:
    """Calls the service that a contract was inferred for, with every scope."""

    def __init__(self, client: Client) -> None:
        self.client = client
        plan = client.app.plan
        self.token = client.token("a", *(f"{r.path}:{what}" for r in plan.resources for what in ("read", "write")))

    async def __call__(self, method: str, path: str, body: Any = None) -> Response:
        return await self.client.request(method, f"/api/v1/{path}", json=body, token=self.token)

    async def rows(self, path: str) -> list[dict[str, Any]]:
        answer = await self("GET", path)
        assert answer.status == 200, answer.json()
        return answer.json()["data"]


def test_postgresql_gives_the_reviewed_contract(postgresql_url: str) -> None:
    options = ("--schema", "public", "--schema", "sales", "--write", "--name", "rich")
    result = infer(postgresql_url, *options)
    assert result.returncode == 0, result.stderr
    assert result.stdout == (GOLDEN / "rich_postgresql.py").read_text("utf-8")


def test_sqlite_gives_the_reviewed_contract(sqlite_url: str) -> None:
    text, _ = infer_contract(sqlite_url, write=True)
    assert text == (GOLDEN / "rich_sqlite.py").read_text("utf-8")


async def test_postgresql_is_served(postgresql_url: str, tmp_path: Path, log_lines: LogLines) -> None:
    app = inferred(postgresql_url, tmp_path, "--schema", "public", "--schema", "sales", "--write").app
    app.use(settings_for(postgresql_url))
    async with Client(app) as client:
        call = Caller(client)
        assert (await client.get("/health/ready")).status == 200
        (ada,) = await call.rows("people?include=country,ordersByCustomer")
        assert ada["id"] == f"per_{ADA}"
        assert (ada["country"]["name"], ada["country"]["id"]) == ("Germany", ada["countryId"])
        assert ada["createdAt"] == "2026-01-31T09:00:00Z"
        assert ada["localTime"] == "2026-01-31T10:00:00Z"
        assert (ada["mood"], ada["gender"], ada["tags"], ada["profile"]) == ("happy", "f", ["a", "b"], {"x": 1})
        assert ada["fullName"] == "Ada <ada@example.test>"
        (order,) = ada["ordersByCustomer"]
        assert (order["total"], order["weight"], order["discount"]) == ("12.50", "0.125", "0.00")
        (passport,) = await call.rows("passports")
        assert passport == {"id": f"pas_{ADA}", "number": "X1"}
        assert ID.fullmatch(order["id"])
        assert ID.fullmatch(ada["countryId"])
        (product,) = await call.rows("products?include=categories")
        assert [row["title"] for row in product["categories"]] == ["c1"]

        sent = {"email": "bob@example.test", "tags": ["x"], "gender": "m", "managerId": ada["id"], "mood": "sad"}
        made = await call("POST", "people", sent)
        assert made.status == 201, made.json()
        bob = made.json()["data"]
        assert {name: bob[name] for name in sent} == sent
        assert (bob["active"], bob["score"]) == (True, 0.5)
        assert bob["createdAt"]
        when = "2026-02-01T00:00:00Z"
        moved = await call("PATCH", f"people/{bob['id']}", {"createdAt": when, "countryId": ada["countryId"]})
        assert (moved.json()["data"]["createdAt"], moved.json()["data"]["countryId"]) == (when, ada["countryId"])
        assert len(await call.rows(f"people?createdAt[gte]={when}&countryId={ada['countryId']}")) == 1
        placed = await call("POST", "orders", {"customerId": bob["id"], "number": 1, "total": "5.00", "classValue": 3})
        assert placed.status == 201, placed.json()
        row = placed.json()["data"]
        assert (row["status"], row["discount"], row["classValue"]) == ("draft", "0.00", 3)
        again = await call("POST", "orders", {"customerId": bob["id"], "number": 1, "total": "5.00"})
        assert again.status == 409, again.json()
        assert {detail["path"] for detail in again.json()["error"]["details"]} == {"customerId", "number"}
        large = await call("POST", "orders", {"customerId": bob["id"], "number": 2**40, "total": "5.00"})
        assert large.status == 422, large.json()
        own = {"customerId": bob["id"], "billToId": bob["id"], "number": 3, "total": "5.00"}
        assert (await call("POST", "orders", own)).status == 422
        bad = await call("PATCH", f"people/{bob['id']}", {"tags": [1]})
        assert (bad.status, bad.json()["error"]["details"][0]["path"]) == (400, "tags.0")
        assert (await call("DELETE", f"people/{bob['id']}")).status == 204
        assert (await call("GET", f"orders/{row['id']}")).status == 404, "the database deletes what belongs to it"


async def test_a_commit_that_sqlite_refuses_stands_in_no_other_ones_way(tmp_path: Path) -> None:
    """A constraint that is checked at the end fails the commit, and SQLite leaves the transaction open."""
    file = tmp_path / "deferred.sqlite"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(
            """CREATE TABLE author (id integer PRIMARY KEY, name text NOT NULL);
            CREATE TABLE book (id integer PRIMARY KEY,
                author_id integer NOT NULL REFERENCES author DEFERRABLE INITIALLY DEFERRED);
            INSERT INTO author (name) VALUES ('Ada'); INSERT INTO book (author_id) VALUES (1);"""
        )
    app = inferred(f"sqlite:///{file}", tmp_path, "--write").app
    app.use(settings_for(f"sqlite:///{file}"))
    async with Client(app) as client:
        call = Caller(client)
        (ada,) = await call.rows("authors")
        for _ in range(2):
            assert (await call("DELETE", f"authors/{ada['id']}")).status == 422
        assert (await call("POST", "authors", {"name": "Bob"})).status == 201
        assert [row["name"] for row in await call.rows("authors?include=books")] == ["Ada", "Bob"]


async def test_sqlite_is_served(sqlite_url: str, tmp_path: Path) -> None:
    app = inferred(sqlite_url, tmp_path, "--write").app
    app.use(settings_for(sqlite_url))
    async with Client(app) as client:
        call = Caller(client)
        assert (await client.get("/health/ready")).status == 200
        older, newer = await call.rows("orders?include=orderItems,users,user")
        assert older["placed"] == "2026-01-02T10:00:00.500000Z"
        assert newer["placed"] == newer["iso"] == newer["epoch"] == "2026-01-01T10:00:00Z"
        assert (newer["day"], newer["paid"], newer["flag"]) == ("2026-01-01", True, False)
        assert (newer["price"], newer["ratio"], newer["doc"]) == ("1.005", 0.5, {"a": [1]})
        assert newer["code"] == "0f8fad5b-d9cb-469f-a165-70867728950e"
        assert [row["sku"] for row in newer["orderItems"]] == ["a", "b"], "a key of 0 is a key"
        assert [row["sku"] for row in older["orderItems"]] == ["c"], "and so is one below"
        assert [row["name"] for row in newer["users"]] == ["Ada", "Bob"]
        assert newer["user"]["name"] == "Bob"
        (token,) = await call.rows("tokens?include=user")
        assert token["id"] == f"tok_{ADA}"
        assert token["user"]["name"] == "Ada"
        assert (await call.rows(f"tokens/{token['id']}"))["userId"] == token["userId"]  # type: ignore[call-overload]
        (euro,) = await call.rows("codes")
        assert (await call("PATCH", f"codes/{euro['id']}", {"label": "€"})).json()["data"]["label"] == "€"

        sent = {"state": "closed", "price": "9.999", "epoch": "2026-03-01T00:00:00Z", "iso": "2026-03-01T12:00:00Z"}
        made = await call("POST", "orders", {**sent, "doc": [1], "userIds": [newer["userId"]]})
        assert made.status == 201, made.json()
        row = made.json()["data"]
        assert {name: row[name] for name in sent} == sent
        assert len(await call.rows("orders?state=closed&sort=-state")) == 2
        stored = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
        kept = stored.execute("SELECT iso, epoch, price, doc FROM orders ORDER BY id DESC LIMIT 1").fetchone()
        stored.close()
        assert kept == ("2026-03-01T12:00:00", 1772323200, 9.999, "[1]")


async def test_a_stored_value_of_another_kind_is_named_and_not_shown(
    sqlite_url: str, tmp_path: Path, log_lines: LogLines
) -> None:
    contract = inferred(sqlite_url, tmp_path).contract
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        connection.execute("UPDATE orders SET placed = 'the other day' WHERE id = 0")
    connection.close()
    app = Sternpost(contract, settings=settings_for(sqlite_url), write_log=log_lines)
    async with Client(app) as client:
        answer = await Caller(client)("GET", "orders")
        assert (answer.status, answer.error["code"]) == (500, "VALUE_NOT_REPRESENTABLE")
        assert [detail["path"].partition(".")[2] for detail in answer.error["details"]] == ["placed"]
        assert "the other day" not in str(answer.json())
    assert any("placed contains a value that is not a valid datetime" in line.decode() for line in log_lines.raw)
    assert not any(b"the other day" in line for line in log_lines.raw)

"""The case files that were reported about inference: SQL scripts that say what is expected of what is inferred of them.

The files lie beside the checkout, as the data of the examples does. Each test says in its own words what the line
`-- expected` of its file asks for.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from sternpost.testing import Client
from tests.conftest import not_run
from tests.existing.support import Call, Inference, infer_from, rows

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "cases"


def case(start: str) -> Path:
    """The file of a number."""
    found = sorted(FOLDER.glob(f"{start}-*.sql"))
    if not found:
        not_run("case files", f"there is no {start}-*.sql in {FOLDER}")
    return found[0]


@asynccontextmanager
async def inferred_case(start: str, url: str) -> AsyncIterator[tuple[Inference, Call]]:
    script = case(start).read_text("utf-8")
    assert "-- expected:" in script
    inference = await infer_from(url, script)
    async with inference.served() as call:
        yield inference, call


async def test_03_no_statement_by_one_id_touches_two_rows(postgres_database: str) -> None:
    async with inferred_case("03", postgres_database) as (inference, call):
        assert "INHERITS" in inference.reasons("animal")[0]
        assert (await call("GET", "animals")).status == 404
        ids = [row["id"] for row in (await call("GET", "dogs")).data]
        assert len(set(ids)) == len(ids) == 2
        assert (await call("DELETE", f"dogs/{ids[0]}")).status == 204
    assert await rows(postgres_database, "SELECT count(*) FROM animal") == [(2,)]


async def test_04_a_relation_is_not_called_like_a_keyword(postgres_database: str) -> None:
    async with inferred_case("04", postgres_database) as (inference, call):
        assert inference.inferred.left_out == []
        assert inference.declared("class_ref") == 'class_ref: One[Class] | None = one(column="class_id")'
        made = await call("POST", "classes", {"name": "first"})
        student = await call("POST", "students", {"name": "Ada", "classRefId": made.data["id"]})
        assert (student.status, student.data["classRefId"]) == (201, made.data["id"])


async def test_14_a_bound_of_any_size_ends_no_inference(postgres_database: str) -> None:
    async with inferred_case("14", postgres_database) as (inference, call):
        assert set(inference.addresses) == {"ledger", "other"}
        assert inference.inferred.left_out == [], "the bound is exact: a decimal has as many digits as its column"
        assert (await call("POST", "ledgers", {"total": "99999999999999999999.98"})).status == 201
        assert (await call("POST", "ledgers", {"total": "99999999999999999999.99"})).status == 400


@pytest.mark.parametrize(
    "column",
    sorted(
        {
            "numeric(10,2) check (x < 1e30)",
            "float8 check (x >= 1e400::numeric)",
            "bigint check (x <= 1e25)",
            "int check (x > 9223372036854775807)",
            "int check (x > 5 and x < 3)",
            "varchar(3) check (length(x) >= 5)",
            "text check (char_length(x) <= 0)",
            "numeric(5,-2)",
            "numeric(3,5)",
        }
    ),
)
async def test_14_each_that_failed_alone(postgres_database: str, column: str) -> None:
    assert column.partition(" check")[0] in case("14").read_text("utf-8")
    script = f"CREATE TABLE t (id serial PRIMARY KEY, x {column}, y int); CREATE TABLE u (id serial PRIMARY KEY, y int)"
    inference = await infer_from(postgres_database, script)
    assert set(inference.addresses) == {"t", "u"}
    assert inference.inferred.left_out or "1e30" in column


async def test_16_a_length_is_that_of_the_database(postgres_database: str) -> None:
    async with inferred_case("16", postgres_database) as (inference, call):
        assert inference.declared("title") == "title: str | None = field(max_length=20000)"
        (post,) = (await call("GET", "posts")).data
        changed = await call("PATCH", f"posts/{post['id']}", {"title": "y" * 20000})
        assert (changed.status, len(changed.data["title"])) == (200, 20000)


async def test_17_a_default_is_written_or_left_to_the_database(postgres_database: str) -> None:
    async with inferred_case("17", postgres_database) as (inference, call):
        assert (await call("POST", "taxes", {"name": "a"})).status == 201
        async with Client(inference.app()) as client:
            document = (await client.get("/openapi.json")).json()
        validate(document)
        (fee,) = [each for each in _properties(document, "fee") if "default" in each]
        (pattern,) = re.findall(r"'pattern': '([^']*)'", str(fee))
        assert re.search(pattern.replace("\\\\", "\\"), fee["default"])
        assert inference.declared("rate") != "rate: Decimal | None"
    assert [float(rate) for (rate,) in await rows(postgres_database, "SELECT rate FROM tax")] == [0.0825]


def _properties(schema: Any, name: str) -> Iterator[dict[str, Any]]:
    """Every property of a name, wherever it is in a document."""
    if isinstance(schema, dict):
        properties = schema.get("properties", {})
        yield from [properties[name]] if name in properties else []
        for part in schema.values():
            yield from _properties(part, name)
    elif isinstance(schema, list):
        for part in schema:
            yield from _properties(part, name)


async def test_18_domains_and_types_of_extensions_are_followed(postgres_database: str) -> None:
    async with inferred_case("18", postgres_database) as (inference, call):
        assert inference.inferred.left_out == []
        assert inference.declared("email").startswith("email: str | None")
        assert inference.declared("name") == "name: str | None = field(min_length=1, max_length=49)"
        assert inference.declared("flag") == 'flag: Literal["VALUE", "NONE"] | None'
        made = await call("POST", "people", {"flag": "VALUE", "email": "a@x.test"})
        assert (made.status, made.data["flag"], made.data["email"]) == (201, "VALUE", "a@x.test")


async def test_20_links_and_what_references_become(postgres_database: str) -> None:
    async with inferred_case("20", postgres_database) as (inference, call):
        for link in ("articles_tags", "_ArticleToTag"):
            assert inference.reasons(link) == []
            assert inference.text.count(f'through="{link}"') == 2
        assert (inference.declared("x"), inference.declared("y")) == ("x: int | None", "y: int | None")
        assert "article (code)" in inference.reasons("note.article_code")[0]
        assert "pair (x, y)" in inference.reasons("uses (x, y)")[0]
        tag = (await call("POST", "tags", {"name": "t"})).data["id"]
        made = await call("POST", "articles", {"title": "a", "tagIds": [tag]})
        assert made.status == 201, made.json()

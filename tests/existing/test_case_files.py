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


async def test_01_a_column_may_have_any_name(postgres_database: str) -> None:
    async with inferred_case("01", postgres_database) as (_, call):
        setting = (await call("GET", "settings")).data[1]
        assert (await call("PATCH", f"settings/{setting['id']}", {"key": "dimension"})).status == 200
    assert (await rows(postgres_database, "SELECT key FROM setting ORDER BY id"))[1] == ("dimension",)


async def test_02_the_last_day_is_a_day(postgres_database: str) -> None:
    async with inferred_case("02", postgres_database) as (_, call):
        for test in ("until=9999-12-31", "until[gte]=9999-12-31", "at=9999-12-31T23:59:59.999999Z"):
            assert [row["until"] for row in (await call("GET", f"prices?{test}")).data] == ["9999-12-31"]
        seen: list[str] = []
        cursor = ""
        while cursor is not None:
            page = (await call("GET", f"prices?sort=-until&pageSize=1&cursor={cursor}")).json()
            seen += [row["until"] for row in page["data"]]
            cursor = page["meta"]["nextCursor"]
            assert len(seen) <= 2
        assert seen == ["9999-12-31", "2020-01-01"]
        assert (await call("POST", "prices", {"until": "9999-12-31"})).status == 201
    assert await rows(postgres_database, "SELECT until::text FROM price WHERE id = 3") == [("9999-12-31",)]


async def test_05_a_decimal_has_the_places_of_its_value(postgres_database: str) -> None:
    async with inferred_case("05", postgres_database) as (_, call):
        await rows(postgres_database, "INSERT INTO rate (percent) VALUES (0.125), (0.00049)")
        assert [row["percent"] for row in (await call("GET", "rates")).data] == ["0.125", "0.00049"]


async def test_06_what_is_read_can_be_written(postgres_database: str) -> None:
    async with inferred_case("06", postgres_database) as (_, call):
        (fee,) = (await call("GET", "fees")).data
        for amount in ("1234.5", fee["amount"]):
            assert (await call("PATCH", f"fees/{fee['id']}", {"amount": amount})).data == fee
        assert (await call("GET", "weis")).data[1]["amount"] == str(2**256 - 1)
        odds = await call("GET", "odds")
        assert (odds.status, odds.error["code"]) == (500, "VALUE_NOT_REPRESENTABLE")
        assert re.fullmatch(r"odd_[0-9a-f]{32}\.amount", odds.error["details"][0]["path"])


async def test_07_deferred_constraints_are_told_as_others(postgres_database: str) -> None:
    async with inferred_case("07", postgres_database) as (_, call):
        author = (await call("GET", "authors")).data[0]["id"]
        answers = [
            await call("DELETE", f"authors/{author}"),
            await call("PATCH", f"authors/{author}", {"slug": "b"}),
            await call("POST", "authors", {"slug": "b"}),
        ]
        told = [(answer.status, answer.error["code"]) for answer in answers]
        assert told == [(409, "STILL_REFERENCED"), (409, "DUPLICATE"), (409, "DUPLICATE")]
        assert [answer.error["details"][0]["path"] for answer in answers[1:]] == ["slug", "slug"]


async def test_08_what_a_trigger_refuses_is_422(postgres_database: str) -> None:
    async with inferred_case("08", postgres_database) as (_, call):
        account = (await call("GET", "accounts")).data[0]["id"]
        for name in ("raise", "own", "null"):
            assert (await call("POST", "accounts", {"name": name})).status == 422
            assert (await call("PATCH", f"accounts/{account}", {"name": name})).status == 422


async def test_10_keys_of_a_fixed_length_are_found(postgres_database: str) -> None:
    async with inferred_case("10", postgres_database) as (_, call):
        first, second = [unit["id"] for unit in (await call("GET", "units")).data]
        for path in (f"units/{first}", f"units/{first}/parts", f"units/{second}"):
            assert (await call("GET", path)).status == 200
        assert (await call("PATCH", f"units/{first}", {"name": "cm"})).status == 200


async def test_11_a_number_of_single_precision_has_its_own_digits(postgres_database: str) -> None:
    async with inferred_case("11", postgres_database) as (_, call):
        assert (await call("GET", "freights")).error["code"] == "VALUE_NOT_REPRESENTABLE"
        assert (await call("GET", "freights?cost=1e300")).status in (200, 400)
        await rows(postgres_database, "DELETE FROM freight WHERE cost = 'NaN'")
        assert [row["cost"] for row in (await call("GET", "freights?cost=32.38")).data] == [32.38]


async def test_12_what_is_no_day_of_the_calendar_is_named(postgres_database: str) -> None:
    async with inferred_case("12", postgres_database) as (_, call):
        for path, name in (("events", "day"), ("leases", "until")):
            answer = await call("GET", path)
            assert (answer.status, answer.error["code"]) == (500, "VALUE_NOT_REPRESENTABLE")
            assert answer.error["details"][0]["path"].endswith(f".{name}")


async def test_13_a_document_is_as_it_is_in_the_database(postgres_database: str) -> None:
    async with inferred_case("13", postgres_database) as (_, call):
        answer = await call("GET", "docs")
        assert b'{"d":0.1234567890123456789,"n":12345678901234567890123}' in answer.content
        (doc,) = answer.data
        assert (await call("PATCH", f"docs/{doc['id']}", {"body": {"n": 12345678901234567890123}})).status == 200
        assert ("1" + 400 * "0").encode() in (await call("GET", "fars")).content
        assert rb'"\ud83d"' in (await call("GET", "halfs")).content
        assert (1500 * "[").encode() in (await call("GET", "deeps")).content
    stored = await rows(postgres_database, "SELECT body::text FROM doc")
    assert stored == [('{"n": 12345678901234567890123}',)]


async def test_26_deferred_constraints_in_a_batch_are_told_as_others(postgres_database: str) -> None:
    async with inferred_case("26", postgres_database) as (_, call):
        step = {"operation": "authors.create", "body": {"slug": "b"}}
        assert (await call("POST", "authors", {"slug": "b"})).status == 409
        assert (await call("POST", "$batch", {"operations": [step]})).status == 409

"""SQLite holds no column to its type: which form stored values have is told by the values, and only by them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.existing.support import infer_from, rows

FORMS = (
    (None, "2001-01-01 10:00:00.123000", "2001-01-01 10:00:01"),
    ("timestamp milliseconds", "2001-01-01 10:00:00.123", "2001-01-01 10:00:01.000"),
    ("timestamp microseconds", "2001-01-01 10:00:00.123000", "2001-01-01 10:00:01.000000"),
    ("timestamp milliseconds utc", "2001-01-01 10:00:00.123Z", "2001-01-01 10:00:01.000Z"),
    ("iso text", "2001-01-01T10:00:00.123000", "2001-01-01T10:00:01"),
    ("iso text milliseconds utc", "2001-01-01T10:00:00.123Z", "2001-01-01T10:00:01.000Z"),
    ("iso text utc", "2001-01-01T10:00:00.123000Z", "2001-01-01T10:00:01Z"),
    ("iso text offset", "2001-01-01T10:00:00.123000+00:00", "2001-01-01T10:00:01+00:00"),
    ("unix milliseconds", "978343200123", "978343201000"),
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'other.sqlite'}"


@pytest.mark.parametrize(("storage", "first", "second"), FORMS, ids=lambda form: str(form)[:30])
async def test_instants_are_found_and_written_in_the_form_that_they_have(
    url: str, storage: str | None, first: str, second: str
) -> None:
    values = [value if value.isdigit() else f"'{value}'" for value in (first, second)]
    table = "CREATE TABLE events (id integer PRIMARY KEY, at datetime); CREATE INDEX by_time ON events (at);"
    inference = await infer_from(url, f"{table} INSERT INTO events (at) VALUES ({values[0]}), ({values[1]})")
    declared = inference.declared("at")
    assert (f'storage="{storage}"' in declared) if storage else ("storage" not in declared), declared
    early, late = "2001-01-01T10:00:00.123000Z", "2001-01-01T10:00:01Z"
    async with inference.served() as call:

        async def found(operator: str, value: str) -> list[str]:
            return [row["at"] for row in (await call("GET", f"events?sort=at&at{operator}={quote(value)}")).data]

        assert await found("", early) == [early]
        assert await found("[in]", f"{early},{late}") == [early, late]
        assert await found("[lte]", early) == [early]
        assert await found("[gt]", early) == [late]
        # between two values that may be less exact than what they are compared with
        between = "2001-01-01T10:00:00.123400Z"
        assert await found("", between) == []
        assert await found("[ne]", between) == [early, late]
        assert await found("[lt]", between) == await found("[lte]", between) == [early]
        assert await found("[gt]", between) == await found("[gte]", between) == [late]
        for row in (await call("GET", "events")).data:
            assert (await call("PATCH", f"events/{row['id']}", {"at": row["at"]})).data == row
    assert [str(at) for (at,) in await rows(url, "SELECT at FROM events ORDER BY id")] == [first, second]


@pytest.mark.parametrize(
    "values",
    [
        ("2001-01-01 10:00", "2001-01-01 10:01"),
        ("2001-01-01 10:00:00", "2001-01-01T10:00:00"),
        ("2001-01-01T10:00:00Z", "2001-01-01T10:00:00"),
        ("2001-01-01T10:00:00.1", "2001-01-01T10:00:00"),
        ("2001-01-01T10:00:00+01:00", "2001-01-01T10:00:00+01:00"),
        ("20010101T100000", "20010102T100000"),
    ],
)
async def test_instants_of_several_forms_are_left_out(url: str, values: tuple[str, str]) -> None:
    table = "CREATE TABLE events (id integer PRIMARY KEY, n int, at datetime);"
    inference = await infer_from(url, f"{table} INSERT INTO events (at) VALUES ('{values[0]}'), ('{values[1]}')")
    assert inference.reasons("events.at") == ["its dates and times are not all stored in the same known format"]


@pytest.mark.parametrize(
    ("type", "value", "declared"),
    [
        ("decimal(10,2)", "1.005", "decimal_places=3, max_digits=11"),
        ("decimal(5,2)", "123456.75", "decimal_places=2, max_digits=8"),
        ("decimal(10,0)", "1.5", "decimal_places=1, max_digits=11"),
        ("decimal(10,2)", "0.1 + 0.2", "float"),
        ("decimal(20,10)", "12345678.123456789", "float"),
    ],
)
async def test_numbers_have_as_many_places_as_their_values(url: str, type: str, value: str, declared: str) -> None:
    table = f"CREATE TABLE prices (id integer PRIMARY KEY, price {type}); CREATE INDEX by_price ON prices (price);"
    inference = await infer_from(url, f"{table} INSERT INTO prices (price) VALUES ({value}), (2)")
    assert declared in inference.declared("price")
    before = await rows(url, "SELECT price FROM prices ORDER BY id")
    async with inference.served() as call:
        for row in (await call("GET", "prices")).data:
            assert (await call("GET", f"prices?price={row['price']}")).data == [row]
            assert (await call("PATCH", f"prices/{row['id']}", {"price": row["price"]})).data == row
    assert await rows(url, "SELECT price FROM prices ORDER BY id") == before


async def test_a_number_of_more_places_is_not_rounded(url: str) -> None:
    table = "CREATE TABLE prices (id integer PRIMARY KEY, price decimal(10,2));"
    inference = await infer_from(url, f"{table} INSERT INTO prices (price) VALUES (1.25)")
    async with inference.served() as call:
        await infer_from(url, "UPDATE prices SET price = 1.005")
        answer = await call("GET", "prices")
        assert (answer.status, answer.error["code"]) == (500, "VALUE_NOT_REPRESENTABLE")
        await infer_from(url, "UPDATE prices SET price = 0.1 + 0.2")  # binary fractions do not sum up exactly
        assert [row["price"] for row in (await call("GET", "prices")).data] == ["0.30"]


@pytest.mark.parametrize(
    "more",
    [
        "CHECK (json_valid(body))",
        ", name text GENERATED ALWAYS AS (json_extract(body, '$.name')) VIRTUAL",
        "); CREATE INDEX by_name ON docs (json_extract(body, '$.name')",
        "); CREATE TRIGGER checked BEFORE UPDATE ON docs BEGIN SELECT json_array_length(NEW.body); END; SELECT (1",
        "); CREATE VIRTUAL TABLE search USING fts5(body); CREATE TRIGGER searched AFTER UPDATE ON docs BEGIN "
        "INSERT INTO search (body) VALUES (NEW.body); END; SELECT (1",
    ],
    ids=["check", "generated", "index", "trigger", "full text"],
)
async def test_what_another_program_declares_with_functions_stays_in_force(url: str, more: str) -> None:
    script = f"""CREATE TABLE docs (id integer PRIMARY KEY, n text, body text {more});
        INSERT INTO docs (body) VALUES ('{{"name": "x"}}')"""
    inference = await infer_from(url, script)
    async with inference.served() as call:
        (row,) = (await call("GET", "docs")).data
        changed = await call("PATCH", f"docs/{row['id']}", {"n": "b", "body": '{"name": "y"}'})
        assert (changed.status, changed.json()["data"]["n"]) == (200, "b")
        assert (await call("POST", "docs", {"body": "[]"})).status == 201


async def test_a_text_that_is_not_utf_8_is_named(url: str) -> None:
    latin = "CAST(x'4dfc6c6c6572' AS text)"
    columns = "v text, at datetime, price decimal(5,2), doc json, ok boolean"
    script = f"CREATE TABLE notes (id integer PRIMARY KEY, n int, {columns});"
    inference = await infer_from(url, f"{script} INSERT INTO notes (n, v) VALUES (1, {latin}), (2, 'x')")
    async with inference.served() as call:
        answer = await call("GET", "notes")
        assert (answer.status, answer.error["code"]) == (500, "VALUE_NOT_REPRESENTABLE")
        assert [detail["path"].partition(".")[2] for detail in answer.error["details"]] == ["v"]
        assert b"ller" not in answer.content
        assert len((await call("GET", "notes?fields=n")).data) == 2
    again = await infer_from(url, f"UPDATE notes SET at = {latin}, price = {latin}, doc = {latin}, ok = {latin}")
    assert len(again.reasons("notes.at") + again.reasons("notes.price") + again.reasons("notes.ok")) == 3


async def test_what_a_type_does_not_hold_is_served_as_it_is_or_left_out(url: str) -> None:
    script = "CREATE TABLE notes (id integer PRIMARY KEY, code varchar(3), ok boolean);"
    inference = await infer_from(url, f"{script} INSERT INTO notes (code, ok) VALUES ('longer', 'true')")
    assert "max_length=6" in inference.declared("code")
    assert inference.reasons("notes.ok") == [
        "the column has the type BOOLEAN, but contains values that are neither 0 nor 1"
    ]
    async with inference.served() as call:
        (row,) = (await call("GET", "notes")).data
        assert (await call("PATCH", f"notes/{row['id']}", {"code": row["code"]})).data == row


@pytest.mark.parametrize(
    ("type", "values", "declared"),
    [
        ("bit", "(0), (1)", "bool"),
        ("boolean", "(0), (NULL)", "bool"),
        ("integer CHECK (v IN (0, 1))", "(0)", "bool"),
        ("integer CHECK (v IN (0, 1, 2))", "(0)", "int"),
        ("numeric", "(1.125)", "decimal_places=3, max_digits=15"),
        ("decimal(10)", "(3)", "int"),
        ("date", "('2026-01-31')", "date"),
        ("datetime", "('2026-01-31')", 'storage="date text"'),
        ("timestamp", "(1700000000)", 'storage="unix seconds"'),
        ("uuid", "('0f8fad5b-d9cb-469f-a165-70867728950e')", "UUID"),
        ("char(36)", "('0f8fad5b-d9cb-469f-a165-70867728950e')", "UUID"),
        ("char(36)", "('0F8FAD5B-D9CB-469F-A165-70867728950E')", "max_length=36"),
        ("float", "(1)", "float"),
        ("time", "('10:00')", "str"),
    ],
)
async def test_a_type_and_its_values_tell_the_kind(url: str, type: str, values: str, declared: str) -> None:
    script = f"CREATE TABLE things (id integer PRIMARY KEY, v {type}); INSERT INTO things (v) VALUES {values}"
    inference = await infer_from(url, script)
    assert re.search(rf"\b{re.escape(declared)}", inference.declared("v")), inference.declared("v")
    async with inference.served() as call:
        assert (await call("GET", "things")).status == 200

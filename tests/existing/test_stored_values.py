"""What other programs have stored in PostgreSQL: values at the ends of a type, constraints that are checked late, triggers,
and what a role may not do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import asyncpg
import pytest

from sternpost import Browse, Contract, Resource, Sternpost, Transition, field, public
from sternpost.errors import Duplicate
from sternpost.testing import Client
from tests.conftest import LogLines
from tests.existing.support import settings_for
from tests.existing.test_inferred import inferred
from tests.existing.test_rich_schemas import Caller


class Job(Resource, prefix="job", table="job"):
    """One whose changes a trigger may drop."""

    state: Literal["open", "closed"] = field(default="open", write="never")

    browse = Browse(allow=public)
    close = Transition("state", source="open", target="closed", allow=public)


Served = Callable[[str], Awaitable[Caller]]

MAY_BE_WRITTEN = ("9999-12-31", "9999-12-30", "0001-01-01", "0001-01-02", "2020-02-29")


@pytest.fixture
async def served(postgres_database: str, tmp_path: Path, log_lines: LogLines) -> AsyncIterator[Served]:
    """Serves the tables that an SQL script makes, as they are inferred."""
    async with AsyncExitStack() as stack:

        async def serve(sql: str, *options: str) -> Caller:
            connection = await asyncpg.connect(postgres_database)
            await connection.execute(sql)
            await connection.close()
            module = inferred(postgres_database, tmp_path, "--write", *options)
            module.app.use(settings_for(postgres_database))
            module.app._write_log = log_lines
            return Caller(await stack.enter_async_context(Client(module.app)))

        yield serve


async def stored(url: str, sql: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


def exactly(text: str | bytes) -> Any:
    """JSON with every number as what it is."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


async def walk(call: Caller, path: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await call("GET", f"{path}&pageSize=1&cursor={cursor}")
        assert answer.status == 200, answer.json()
        rows += answer.data
        cursor = answer.json()["meta"]["nextCursor"]
        assert len(rows) < 20, "a walk shows each row once"
    return rows


async def test_the_ends_of_the_calendar_are_ordinary_days(served: Served, postgres_database: str) -> None:
    call = await served(
        "CREATE TABLE price (id serial PRIMARY KEY, until date NOT NULL, at timestamptz, local timestamp);"
        "CREATE INDEX ON price (until); CREATE INDEX ON price (at); CREATE INDEX ON price (local)"
    )
    for day in MAY_BE_WRITTEN:
        instant = f"{day}T{'23:59:59.999999' if day == '9999-12-31' else '00:00:00'}Z"
        made = await call("POST", "prices", {"until": day, "at": instant, "local": instant})
        assert made.status == 201, made.json()
        again = (await call("GET", f"prices/{made.data['id']}")).data
        assert (again["until"], again["at"], again["local"]) == (day, instant, instant)
        for test in (f"until={day}", f"until[gte]={day}&until[lte]={day}", f"at={instant}", f"local={instant}"):
            assert [row["until"] for row in await call.rows(f"prices?{test}")] == [day], test
    for name in ("until", "at", "local"):
        for sort, rows in ((name, sorted(MAY_BE_WRITTEN)), (f"-{name}", sorted(MAY_BE_WRITTEN, reverse=True))):
            assert [row["until"] for row in await walk(call, f"prices?sort={sort}")] == rows
    infinite = await stored(
        postgres_database, "SELECT count(*) FROM price WHERE NOT isfinite(until) OR NOT isfinite(at)"
    )
    assert infinite == [(0,)]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date", "infinity"),
        ("date", "-infinity"),
        ("date", "0044-03-15 BC"),
        ("date", "10000-01-01"),
        ("timestamptz", "infinity"),
        ("timestamptz", "10000-01-01 00:00+00"),
        ("timestamp", "-infinity"),
        ("timestamp", "0044-03-15 00:00 BC"),
        ("real", "NaN"),
        ("double precision", "Infinity"),
        ("numeric(10,2)", "NaN"),
    ],
)
async def test_a_value_that_cannot_be_represented_is_named(
    served: Served, log_lines: LogLines, kind: str, value: str
) -> None:
    call = await served(
        f"CREATE TABLE thing (id serial PRIMARY KEY, odd {kind}, name text NOT NULL);"
        f"INSERT INTO thing (odd, name) VALUES (NULL, 'plain'), ('{value}', 'odd')"
    )
    ids = [row["id"] for row in await call.rows("things?fields=id")]
    for path in ("things", f"things/{ids[1]}", "things?fields=id,odd"):
        answer = await call("GET", path)
        assert (answer.status, answer.error["code"]) == (500, "VALUE_NOT_REPRESENTABLE"), path
        assert [detail["path"] for detail in answer.error["details"]] == [f"{ids[1]}.odd"]
        assert value not in answer.content.decode()
        told = next(line for line in log_lines.lines if line.get("errorCode") == "VALUE_NOT_REPRESENTABLE")
        assert (told["table"], told["key"], told["column"]) == ("thing", "2", "odd")
        log_lines.raw.clear()
    assert (await call("GET", f"things/{ids[0]}")).status == 200
    assert [row["name"] for row in await call.rows("things?fields=name")] == ["plain", "odd"]


async def test_numbers_of_single_precision_have_their_own_digits(served: Served) -> None:
    call = await served(
        "CREATE TABLE freight (id serial PRIMARY KEY, cost real NOT NULL); CREATE INDEX ON freight (cost);"
        "INSERT INTO freight (cost) VALUES (32.38), (0.1), (3.4028235e38), (1e-45)"
    )
    assert [row["cost"] for row in await call.rows("freights")] == [32.38, 0.1, 3.4028235e38, 1e-45]
    assert [row["cost"] for row in await call.rows("freights?cost=0.1")] == [0.1]
    assert [row["cost"] for row in await walk(call, "freights?sort=cost")] == [1e-45, 0.1, 32.38, 3.4028235e38]
    beyond = await call("GET", "freights?cost=1e300")
    assert (beyond.status, beyond.error["details"][0]["code"]) == (400, "not_comparable")
    assert (await call("POST", "freights", {"cost": 1e300})).status == 422
    made = await call("POST", "freights", {"cost": 0.3})
    assert made.data["cost"] == 0.3


async def test_keys_of_a_fixed_length_are_found(served: Served) -> None:
    call = await served(
        "CREATE TABLE unit (code char(3) PRIMARY KEY, name text);"
        "CREATE TABLE part (id serial PRIMARY KEY, unit_code char(5) REFERENCES unit);"
        "INSERT INTO unit VALUES ('CM', 'Centimeter'), ('OZS', 'Ounces'); INSERT INTO part (unit_code) VALUES ('CM')"
    )
    units = await call.rows("units")
    for unit in units:
        assert (await call("GET", f"units/{unit['id']}")).data == unit
        changed = await call("PATCH", f"units/{unit['id']}", {"name": "changed"})
        assert (changed.status, changed.data["name"]) == (200, "changed")
    assert [part["unitId"] for part in await call.rows(f"units/{units[0]['id']}/parts")] == [units[0]["id"]]
    (part,) = await call.rows("parts?include=unit")
    assert part["unit"]["name"] == "changed"


DEFERRED = """CREATE TABLE author (id serial PRIMARY KEY, slug text NOT NULL, UNIQUE (slug) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE book (id serial PRIMARY KEY, author_id int NOT NULL REFERENCES author DEFERRABLE INITIALLY DEFERRED);
INSERT INTO author (slug) VALUES ('a'), ('b'); INSERT INTO book (author_id) VALUES (1)"""


async def test_a_constraint_that_is_checked_at_the_end_is_told_as_one_that_is_checked_at_once(served: Served) -> None:
    call = await served(DEFERRED)
    first = (await call.rows("authors?fields=id"))[0]["id"]
    (book,) = await call.rows("books")

    async def refused(method: str, path: str, body: Any = None) -> tuple[int, str, list[str]]:
        answer = await call(method, path, body)
        return answer.status, answer.error["code"], [detail["path"] for detail in answer.error["details"]]

    def batch(operation: str, **step: Any) -> dict[str, Any]:
        return {"operations": [{"operation": operation, **step}]}

    assert await refused("DELETE", f"authors/{first}") == (409, "STILL_REFERENCED", [])
    assert await refused("POST", "$batch", batch("authors.delete", id=first)) == (409, "STILL_REFERENCED", [])
    for sent in (("POST", "authors"), ("PATCH", f"authors/{first}")):
        assert await refused(*sent, {"slug": "b"}) == (409, "DUPLICATE", ["slug"])
    assert await refused("POST", "$batch", batch("authors.create", body={"slug": "b"})) == (409, "DUPLICATE", ["slug"])
    db = call.client.app.data()
    with pytest.raises(Duplicate):
        async with db as data, data.transaction() as inside:
            await inside.table(call.client.app.compiled.classes["Author"]).create({"slug": "b"})
    assert (await call("DELETE", f"books/{book['id']}")).status == 204
    assert (await call("DELETE", f"authors/{first}")).status == 204


async def test_what_a_trigger_refuses_is_422_and_its_words_are_in_the_log_alone(
    served: Served, log_lines: LogLines, postgres_database: str
) -> None:
    call = await served(
        """CREATE TABLE account (id serial PRIMARY KEY, name text NOT NULL);
        CREATE FUNCTION check_account() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF new.name = 'raise' THEN RAISE EXCEPTION 'the month is closed'; END IF;
        IF new.name = 'own' THEN RAISE EXCEPTION USING errcode = 'APP01', message = 'the month is closed'; END IF;
        IF new.name = 'null' THEN RETURN NULL; END IF;
        RETURN new; END $$;
        CREATE TRIGGER check_account BEFORE INSERT OR UPDATE ON account FOR EACH ROW EXECUTE FUNCTION check_account();
        INSERT INTO account (name) VALUES ('x')"""
    )
    (account,) = await call.rows("accounts")
    for name in ("raise", "own", "null"):
        for sent in (("POST", "accounts"), ("PATCH", f"accounts/{account['id']}")):
            answer = await call(*sent, {"name": name})
            assert (answer.status, answer.error["code"]) == (422, "CONSTRAINT_VIOLATED"), (sent, name)
            assert b"month" not in answer.content
            told = next(line for line in log_lines.lines if line.get("errorCode") == "CONSTRAINT_VIOLATED")
            assert ("the month is closed" in told["database"]) == (name != "null")
            log_lines.raw.clear()
    assert await stored(postgres_database, "SELECT name FROM account") == [("x",)]


async def test_a_transition_that_a_trigger_drops_is_no_conflict(postgres_database: str, tmp_path: Path) -> None:
    """The row is in the state that it may start from: it is the database that does not want it."""
    await stored(
        postgres_database,
        """DO $do$ BEGIN
        CREATE TABLE job (id serial PRIMARY KEY, state text NOT NULL);
        INSERT INTO job (state) VALUES ('open');
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
        CREATE TRIGGER keep BEFORE UPDATE ON job FOR EACH ROW EXECUTE FUNCTION keep();
        END $do$""",
    )
    contract = Contract("jobs", resources=[Job], schema="external")
    async with Client(
        Sternpost(contract, settings=settings_for(postgres_database), write_log=lambda line: None)
    ) as client:
        ((job,),) = [(await client.get("/api/v1/jobs")).data]
        answer = await client.post(f"/api/v1/jobs/{job['id']}/close")
        assert (answer.status, answer.error["code"]) == (422, "CONSTRAINT_VIOLATED")


async def test_ranges_that_may_not_overlap_are_a_conflict(served: Served) -> None:
    call = await served(
        "CREATE TABLE stay (id serial PRIMARY KEY, room int NOT NULL, EXCLUDE USING gist (int4range(room, room, '[]') WITH &&))"
    )
    assert (await call("POST", "stays", {"room": 1})).status == 201
    answer = await call("POST", "stays", {"room": 1})
    assert (answer.status, answer.error["code"], answer.error["details"]) == (409, "DUPLICATE", [])
    assert "named in details" not in answer.error["fix"]


async def test_what_a_role_may_not_do_is_403_and_the_log_names_the_object(served: Served, log_lines: LogLines) -> None:
    call = await served(
        """CREATE TABLE note (id serial PRIMARY KEY, name text NOT NULL);
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE insufficient_privilege USING message = 'permission denied for table ledger'; END $$;
        CREATE TRIGGER refuse BEFORE INSERT ON note FOR EACH ROW EXECUTE FUNCTION refuse()"""
    )
    answer = await call("POST", "notes", {"name": "x"})
    assert (answer.status, answer.error["code"]) == (403, "FORBIDDEN")
    told = next(line for line in log_lines.lines if line.get("errorCode") == "FORBIDDEN")
    assert told["database"] == "permission denied for table ledger"


async def test_a_decimal_keeps_its_digits(served: Served, postgres_database: str) -> None:
    """Whatever the column declares: what was read is written back unchanged, and found by a filter."""
    call = await served(
        f"""CREATE TABLE amount (id serial PRIMARY KEY, fee numeric(40,15), wei numeric(78,0), part numeric(38,18),
        free numeric, few numeric(5,2));
        CREATE INDEX ON amount (free); CREATE INDEX ON amount (fee); CREATE INDEX ON amount (few);
        INSERT INTO amount (fee, wei, part, free, few) VALUES
        (1234.5, {2**256 - 1}, 12.5, 0.00049, 999.99), (-{"9" * 25}.{"9" * 15}, 0, 0.{"9" * 18}, {"7" * 300}.{"3" * 300}, 0),
        (0, 0, 0, 1.50, -0.01), (null, null, null, null, null)"""
    )
    before = await stored(postgres_database, "SELECT * FROM amount ORDER BY id")
    rows = await call.rows("amounts")
    assert rows[0]["wei"] == str(2**256 - 1)
    assert [row["free"] for row in rows[:3]] == ["0.00049", f"{'7' * 300}.{'3' * 300}", "1.50"]
    for row in rows:
        values = {name: value for name, value in row.items() if name != "id"}
        assert (await call("PATCH", f"amounts/{row['id']}", values)).data == row
        assert (await call("GET", f"amounts/{row['id']}")).data == row
    assert await stored(postgres_database, "SELECT * FROM amount ORDER BY id") == before
    for name in ("free", "fee"):
        for row in rows[:3]:
            assert row["id"] in {each["id"] for each in await call.rows(f"amounts?{name}={row[name]}")}
        in_order = [row["id"] for row in await walk(call, f"amounts?sort={name}")]
        by_value = sorted(rows[:3], key=lambda row: Decimal(row[name]))
        assert in_order == [row["id"] for row in [*by_value, rows[3]]]
    made = await call("POST", "amounts", {"part": "12.5", "free": "12.5"})
    assert (made.data["part"], made.data["free"]) == ("12.500000000000000000", "12.5")


@pytest.mark.parametrize(
    ("test", "found"),
    [
        ("few=999.99", ["999.99"]),
        ("few=999.990", ["999.99"]),
        ("few=999.991", []),
        ("few[ne]=999.991", ["-0.01", "0.00", "999.99"]),
        ("few[in]=999.991,0.000", ["0.00"]),
        ("few[lt]=0.001", ["-0.01", "0.00"]),
        ("few[gt]=-0.001", ["0.00", "999.99"]),
        ("few[gte]=-0.011", ["-0.01", "0.00", "999.99"]),
        ("few[lte]=-0.009", ["-0.01"]),
        (f"few[lt]={'9' * 60}.{'9' * 60}", ["-0.01", "0.00", "999.99"]),
        (f"few[gt]={'9' * 60}", []),
        (f"few[gt]=-{'9' * 60}", ["-0.01", "0.00", "999.99"]),
        (f"few={'9' * 60}", []),
        (f"few[ne]={'9' * 60}", ["-0.01", "0.00", "999.99"]),
    ],
)
async def test_a_filter_by_a_decimal_has_no_bound_of_digits(served: Served, test: str, found: list[str]) -> None:
    call = await served(
        "CREATE TABLE amount (id serial PRIMARY KEY, few numeric(5,2)); CREATE INDEX ON amount (few);"
        "INSERT INTO amount (few) VALUES (999.99), (0), (-0.01), (null)"
    )
    assert [row["few"] for row in await call.rows(f"amounts?sort=few&{test}")] == found


async def test_a_value_with_more_places_than_the_contract_says_is_not_rounded(
    served: Served, postgres_database: str
) -> None:
    call = await served("CREATE TABLE rate (id serial PRIMARY KEY, percent numeric(9,2))")
    for sql in ("ALTER TABLE rate ALTER percent TYPE numeric", "INSERT INTO rate (percent) VALUES (0.125)"):
        await stored(postgres_database, sql)
    answer = await call("GET", "rates")
    assert (answer.status, answer.error["code"]) == (500, "VALUE_NOT_REPRESENTABLE")


JSON_TEXTS = (
    '{"n": 12345678901234567890123, "d": 0.1234567890123456789}',
    '{"n": 1e400}',
    "[9223372036854775808, -9223372036854775809, 18446744073709551616]",
    '{"deep": [{"x": 3.141592653589793238462643}], "text": "12345678901234567890 e100"}',
    '"plain"',
)


@pytest.mark.parametrize("type", ["jsonb", "json"])
async def test_numbers_within_json_keep_their_digits(served: Served, postgres_database: str, type: str) -> None:
    call = await served(f"CREATE TABLE doc (id serial PRIMARY KEY, body {type} NOT NULL)")
    connection = await asyncpg.connect(postgres_database)
    for text in JSON_TEXTS:
        await connection.execute(f"INSERT INTO doc (body) VALUES ($1::{type})", text)
    before = [exactly(text) for (text,) in await connection.fetch("SELECT body::text FROM doc ORDER BY id")]
    answer = exactly((await call("GET", "docs")).content)
    assert [row["body"] for row in answer["data"]] == before
    for row, body in zip(answer["data"], before, strict=True):
        if type == "json" and body == {"n": Decimal("1e400")}:
            continue  # what a number in a request may be has an end
        changed = await call("PATCH", f"docs/{row['id']}", {"body": body})
        assert changed.status == 200, changed.json()
        assert exactly(changed.content)["data"]["body"] == body
        step = {"operation": "docs.update", "id": row["id"], "body": {"body": body}}
        done = await call("POST", "$batch", {"operations": [step]})
        assert exactly(done.content)["data"][0]["data"]["body"] == body
    after = [exactly(text) for (text,) in await connection.fetch("SELECT body::text FROM doc ORDER BY id")]
    await connection.close()
    assert after == before


async def test_a_long_text_is_written_back(served: Served) -> None:
    call = await served(
        """CREATE TABLE post (id serial PRIMARY KEY, body text, title varchar(20000), note text CHECK (length(note) > 0));
        INSERT INTO post (body, title, note) VALUES (repeat('x', 500000), repeat('y', 20000), repeat('z', 20000))"""
    )
    (post,) = await call.rows("posts")
    values = {name: value for name, value in post.items() if name != "id"}
    assert (await call("PATCH", f"posts/{post['id']}", values)).data == post
    for name, most in (("body", 1_000_000), ("title", 20_000), ("note", 1_000_000)):
        answer = await call("PATCH", f"posts/{post['id']}", {name: (most + 1) * "x"})
        assert (answer.status, answer.error["code"]) == (400, "VALIDATION_ERROR")


async def test_what_other_programs_have_stored_counts_as_it_is(served: Served) -> None:
    """Nothing holds another program to a length that the contract alone knows: a page is measured before it is read."""
    call = await served(
        "CREATE TABLE post (id serial PRIMARY KEY, body text);"
        "INSERT INTO post (body) SELECT repeat('x', 3000000) FROM generate_series(1, 10)"
    )
    answer = await call("GET", "posts?pageSize=10")
    assert (answer.status, answer.error["details"][0]["code"]) == (400, "answer_too_large")
    assert len((await call("GET", "posts?pageSize=1")).data) == 1


async def test_what_a_column_is_not_compared_with_is_400(served: Served) -> None:
    call = await served(
        """CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        CREATE TABLE thing (id serial PRIMARY KEY, words text COLLATE any_case, label name, single real, tiny smallint);
        CREATE INDEX ON thing (words); CREATE INDEX ON thing (label);
        CREATE INDEX ON thing (single); CREATE INDEX ON thing (tiny);
        INSERT INTO thing (words, label, single, tiny) VALUES ('Abc', 'n', 0.5, 1)"""
    )
    long = 200 * "x"
    for test in (f"label={long}", "single=1e300", "single[lt]=-1e300"):
        answer = await call("GET", f"things?{test}")
        assert (answer.status, answer.error["details"][0]["code"]) == (400, "not_comparable"), test
    for test in ("words[contains]=b", "words[startsWith]=A"):
        answer = await call("GET", f"things?{test}")
        assert answer.status == 200 or answer.error["details"][0]["code"] == "not_comparable", test
    for test in ("tiny[lt]=100000", "words=abc", "tiny[in]=1,100000"):
        assert len(await call.rows(f"things?{test}")) == 1, test
    (thing,) = await call.rows("things")
    for name, value in (("label", long), ("single", 1e300), ("tiny", 100_000)):
        answer = await call("PATCH", f"things/{thing['id']}", {name: value})
        assert answer.status in (400, 422), name
    assert await call.rows("things") == [thing]


async def test_an_answer_that_cannot_be_given_leaves_nothing_behind(served: Served, postgres_database: str) -> None:
    """What the database makes of a value may be none that the service can show."""
    call = await served(
        """CREATE TABLE shift (id serial PRIMARY KEY, name text, ends timestamptz(0), until date DEFAULT 'infinity');
        INSERT INTO shift (name, ends, until) VALUES ('a', now(), now())"""
    )
    for body in ({"ends": "9999-12-31T23:59:59.9Z", "until": "2026-01-01"}, {"name": "b"}):
        made = await call("POST", "shifts", body)
        assert (made.status, made.error["code"]) == (500, "VALUE_NOT_REPRESENTABLE"), body
        step = {"operation": "shifts.create", "body": body}
        assert (await call("POST", "$batch", {"operations": [step]})).status == 500
    assert await stored(postgres_database, "SELECT name FROM shift") == [("a",)]
    assert len(await call.rows("shifts")) == 1


@pytest.mark.parametrize("depth", [200, 255, 300, 1000, 1100])
async def test_json_of_many_levels_is_served(served: Served, depth: int) -> None:
    text = "[" * depth + "]" * depth
    call = await served(
        f"CREATE TABLE doc (id serial PRIMARY KEY, body json); INSERT INTO doc (body) VALUES ('{text}')"
    )
    answer = await call("GET", "docs")
    assert answer.status == 200
    assert text.encode() in answer.content
    found = answer.content.partition(b'"id":"')[2].partition(b'"')[0].decode()
    assert text.encode() in (await call("GET", f"docs/{found}")).content

"""What a contract cannot express is left out of the inference with its reason; everything else is inferred."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from sternpost.errors import StartupError
from sternpost.infer import decide, prove
from sternpost.infer.model import InferredField, InferredTable
from sternpost.infer.options import apply_default
from sternpost.storage.sql.tables import Found, FoundColumn, FoundTable
from tests.existing.support import infer_from
from tests.existing.test_inferred import infer

OTHER = "CREATE TABLE other ({id}, name text);"


@pytest.mark.parametrize(
    "column",
    [
        "numeric(10,2) CHECK (x < 1e99999)",
        "bigint CHECK (x <= 1e25)",
        "integer CHECK (x > 9223372036854775807)",
        "integer CHECK (x > 5 AND x < 3)",
        "integer CHECK (x >= 10 AND x <= 1)",
        "varchar(3) CHECK (length(x) >= 5)",
        "text CHECK (length(x) <= 0)",
        "text CHECK (length(x) >= 3 AND length(x) <= 2)",
        "text CHECK (x IN ('a') AND x IN ('b'))",
    ],
)
async def test_a_condition_that_no_options_say_stays_with_the_database(database_url: str, column: str) -> None:
    inference = await infer_from(database_url, OTHER + f"CREATE TABLE thing ({{id}}, x {column}, y text)")
    assert set(inference.addresses) == {"other", "thing"}
    (reason,) = inference.reasons("thing")
    assert reason.startswith("enforced only by the database: ")
    assert "    x: " in inference.text
    async with inference.served() as call:
        assert (await call("POST", "things", {"y": "z"})).status == 201
        assert (await call("GET", "things")).data[0]["y"] == "z"


async def test_a_bound_of_many_digits_is_exact(database_url: str) -> None:
    inference = await infer_from(
        database_url,
        "CREATE TABLE t ({id}, x numeric(10,2) CHECK (x < 99999999999999999999.99), y numeric CHECK (y <= 1e30))",
    )
    assert inference.inferred.left_out == []
    assert 'le=Decimal("99999999999999999999.98")' in inference.declared("x")
    assert "le=1000000000000000000000000000000" in inference.declared("y")


async def test_a_bound_that_is_no_number_of_python_stays_with_the_database(postgres_database: str) -> None:
    inference = await infer_from(
        postgres_database,
        "CREATE TABLE thing (id serial PRIMARY KEY, x float8 CHECK (x >= 1e400::numeric), y float8 CHECK (y < 'Infinity'))",
    )
    assert inference.declared("x") == "x: float | None"
    assert len(inference.reasons("thing")) == 2
    assert all(len(reason) < 400 for reason in inference.reasons("thing")), "a long condition is cut"


@pytest.mark.parametrize("kind", ["numeric(5,-2)", "numeric(3,5)"])
async def test_a_scale_that_a_decimal_does_not_have(postgres_database: str, kind: str) -> None:
    inference = await infer_from(postgres_database, f"CREATE TABLE t (id serial PRIMARY KEY, x {kind}, y int)")
    (reason,) = inference.reasons("t.x")
    assert kind in reason
    assert inference.declared("y") == "y: int | None"


async def test_a_condition_that_stored_rows_may_break_is_no_rule(postgres_database: str) -> None:
    inference = await infer_from(
        postgres_database,
        "CREATE TABLE t (id serial PRIMARY KEY, x text, y int); INSERT INTO t (x, y) VALUES (NULL, -1);"
        "ALTER TABLE t ADD CHECK (x IS NOT NULL) NOT VALID, ADD CHECK (y > 0) NOT VALID",
    )
    assert (inference.declared("x"), inference.declared("y")) == ("x: str | None", "y: int | None")
    assert len([reason for reason in inference.reasons("t") if reason.endswith("NOT VALID")]) == 2
    async with inference.served() as call:
        (row,) = (await call("GET", "ts")).data
        assert (row["x"], row["y"]) == (None, -1)


KEYWORDS = """
    CREATE TABLE class ({id}, name text);
    CREATE TABLE student ({id}, name text, class_id int REFERENCES class, "from" int REFERENCES class,
                          import_id int REFERENCES class, "def" text);
    CREATE TABLE a ({id}, name text);
    CREATE TABLE b ({id}, name text, a_id int REFERENCES a);
    CREATE TABLE a_of_b ({id}, b_id int REFERENCES b, name text);
    CREATE TABLE "none" ({id}, name text);
    CREATE TABLE "true" ({id}, name text);
    CREATE TABLE "false" ({id}, name text, none_id int REFERENCES "none");
    CREATE TABLE i ({id}, a_id int REFERENCES a, b_id int REFERENCES b, "as" text);
    INSERT INTO class (name) VALUES ('first');
    INSERT INTO student (name, class_id) VALUES ('Ada', 1);
"""


async def test_keywords_of_python_are_no_names(database_url: str) -> None:
    inference = await infer_from(database_url, KEYWORDS)
    assert inference.inferred.left_out == []
    assert inference.declared("class_ref") == 'class_ref: One[Class] | None = one(column="class_id")'
    assert inference.declared("from_ref") == 'from_ref: One[Class] | None = one(column="from")'
    assert inference.declared("def_value") == 'def_value: str | None = field(column="def")'
    async with inference.served() as call:
        (ada,) = (await call("GET", "students?include=classRef")).data
        assert ada["classRef"]["name"] == "first"
        for path in inference.addresses.values():
            assert (await call("GET", path)).status == 200


async def test_a_list_that_would_be_called_like_a_keyword(database_url: str) -> None:
    inference = await infer_from(
        database_url, "CREATE TABLE b ({id}, name text); CREATE TABLE a ({id}, b_id int REFERENCES b, name text)"
    )
    assert inference.declared("as_list") == "as_list: Many[A]"


async def test_names_that_cannot_be_shown(database_url: str) -> None:
    inference = await infer_from(
        database_url,
        'CREATE TABLE "a\nb" ({id}, x int); CREATE TABLE c ({id}, "x\ny" int, z int);'
        'CREATE TABLE d ("i\nd" int PRIMARY KEY, z int)',
    )
    assert list(inference.addresses) == ["c"]
    assert "its name has characters" in inference.reasons("a\nb")[0]
    assert "its name has characters" in inference.reasons("c.x\ny")[0]
    assert "the name of its key has characters" in inference.reasons("d")[0]
    async with inference.served() as call:
        assert (await call("POST", "cs", {"z": 1})).status == 201


async def test_what_the_role_may_not_read(postgres_database: str) -> None:
    server = await asyncpg.connect(postgres_database)
    role = "sternpost_test_reader"
    if not await server.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await server.execute(f"CREATE ROLE {role} LOGIN")
    await server.close()
    inference = await infer_from(
        postgres_database,
        f"""CREATE TABLE closed (id serial PRIMARY KEY, x numeric);
        CREATE TABLE open (id serial PRIMARY KEY, n int, closed_id int REFERENCES closed);
        CREATE TABLE half (id serial PRIMARY KEY, more numeric, n int);
        CREATE SCHEMA locked; CREATE TABLE locked.t (id serial PRIMARY KEY, n int);
        INSERT INTO half (n) VALUES (2);
        GRANT SELECT ON open TO {role}; GRANT SELECT (id, n) ON half TO {role}""",
        read_as=postgres_database.replace("//postgres@", f"//{role}@"),
        schemas=["public", "locked"],
    )
    refused = f"the role {role} may not read it"
    assert sorted(inference.addresses) == ["half", "open"]
    assert inference.reasons("closed") == inference.reasons("half.more") == inference.reasons("locked.t") == [refused]
    assert inference.reasons("open.closed_id") == ["it refers to closed, which is not part of the contract"]
    async with inference.served() as call:
        assert [row["n"] for row in (await call("GET", "halfs")).data] == [2]


async def test_tables_that_are_excluded(database_url: str, tmp_path: Path) -> None:
    tables = "".join(f"CREATE TABLE {name} ({{id}}, x int);" for name in ("kept", "tmp_a", "tmp_b", "log"))
    inference = await infer_from(database_url, tables, exclude=["tmp_*", "log"])
    assert list(inference.addresses) == ["kept"]
    assert inference.inferred.left_out == []
    file = tmp_path / "contract.py"
    done = infer(database_url, "--exclude", "tmp_*", "--exclude", "k?pt", "--out", os.fspath(file))
    assert done.returncode == 0, done.stderr
    assert [line for line in file.read_text("utf-8").splitlines() if line.startswith("class ")] == [
        'class Log(Resource, prefix="log", table="log"):'
    ]


async def test_a_pattern_may_name_the_schema(postgres_database: str) -> None:
    inference = await infer_from(
        postgres_database,
        "CREATE SCHEMA sales; CREATE TABLE sales.a (id serial PRIMARY KEY, n int);"
        "CREATE TABLE a (id serial PRIMARY KEY, n int); CREATE TABLE b (id serial PRIMARY KEY, n int)",
        schemas=["public", "sales"],
        exclude=["sales.*", "public.b"],
    )
    assert list(inference.addresses) == ["a"]


# -- what the compiler refuses

ID = FoundColumn("id", "integer", nullable=False, counted=True)


def _found() -> Found:
    columns = (ID, FoundColumn("name", "text", nullable=False), FoundColumn("n", "integer", nullable=True))
    return Found("postgresql", (FoundTable(None, "a", columns, ("id",)), FoundTable(None, "b", columns, ("id",))))


@pytest.mark.parametrize(
    ("option", "value", "declared", "reason"),
    [
        ("default", 5, 'name: str = field(auto="database")', "default is left out: SP206"),
        ("max_length", 0, "name: str", "max_length is left out: SP217"),
        ("ge", 1, "name: str", "ge is left out: SP204"),
        ("filter", ["like"], "name: str", "filter is left out: SP214"),
    ],
)
def test_an_option_that_does_not_compile_is_left_out(
    monkeypatch: pytest.MonkeyPatch, option: str, value: Any, declared: str, reason: str
) -> None:
    def wrong(found: InferredField) -> None:
        apply_default(found)
        if found.name == "name":
            found.options[option] = value

    monkeypatch.setattr(decide, "apply_default", wrong)
    monkeypatch.setattr(decide, "leave_unfit_default", lambda found: None)
    inferred, text = prove.infer_proven(_found(), "some", write=True)
    assert f"    {declared}\n" in text
    assert [what for what, why in inferred.left_out if reason in why] == ["a.name", "b.name"]


def test_a_field_that_does_not_compile_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(found: InferredField) -> None:
        if found.name == "n":
            found.options["storage"] = "nowhere"

    monkeypatch.setattr(decide, "apply_default", wrong)
    inferred, text = prove.infer_proven(_found(), "some", write=True)
    assert "    n: " not in text
    assert "    name: str\n" in text
    assert [what for what, why in inferred.left_out if "SP222" in why] == ["a.n", "b.n"]


def test_a_table_that_does_not_compile_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = decide.named

    def wrong(tables: list[FoundTable], *, sqlite: bool) -> list[InferredTable]:
        found = chosen(tables, sqlite=sqlite)
        found[0].prefix = "X-1"
        return found

    monkeypatch.setattr(decide, "named", wrong)
    inferred, text = prove.infer_proven(_found(), "some", write=False)
    assert [table.name for table in inferred.tables] == ["B"]
    assert "class A(" not in text
    assert [what for what, why in inferred.left_out if "SP103" in why] == ["a"]


def test_what_cannot_be_left_out_is_a_bug() -> None:
    with pytest.raises(StartupError, match=r"which is a bug in Sternpost:\n  SP001"):
        prove.infer_proven(_found(), "No Name", write=False)

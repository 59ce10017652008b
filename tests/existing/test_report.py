"""The report of an inference tells all that is left out or limited, and addresses do not depend on other tables."""

from __future__ import annotations

import re

import pytest

from sternpost.errors import StartupError
from tests.existing.support import execute, infer_from, rows
from tests.existing.test_inferred import infer

LINKS = """
    CREATE TABLE article ({id}, title text, code int UNIQUE);
    CREATE TABLE tag ({id}, name text);
    CREATE TABLE articles_tags (article_id int NOT NULL REFERENCES article, tag_id int NOT NULL REFERENCES tag,
                                UNIQUE (article_id, tag_id));
    CREATE TABLE "_ArticleToTag" ("A" int NOT NULL REFERENCES article, "B" int NOT NULL REFERENCES tag,
                                  UNIQUE ("B", "A"));
    CREATE TABLE loose (article_id int NOT NULL REFERENCES article, tag_id int NOT NULL REFERENCES tag);
    CREATE TABLE optional (article_id int REFERENCES article, tag_id int NOT NULL REFERENCES tag,
                           UNIQUE (article_id, tag_id));
    INSERT INTO tag (name) VALUES ('a'), ('b');
"""


async def test_pairs_that_are_unique_are_links(database_url: str) -> None:
    inference = await infer_from(database_url, LINKS)
    assert inference.inferred.left_out == [
        ("loose", "it has no primary key"),
        ("optional", "it has no primary key"),
    ]
    assert 'through="articles_tags"' in inference.declared("tags")
    assert 'through="_ArticleToTag"' in inference.declared("tags_through_article_to_tag")
    async with inference.served() as call:
        tags = [row["id"] for row in (await call("GET", "tags")).data]
        sent = {"title": "x", "tagIds": tags, "tagsThroughArticleToTagIds": tags[:1]}
        made = await call("POST", "articles", sent)
        assert made.status == 201, made.json()
        read = await call("GET", f"articles/{made.data['id']}?include=tags,tagsThroughArticleToTag")
        assert [row["name"] for row in read.data["tags"]] == ["a", "b"]
        assert [row["name"] for row in read.data["tagsThroughArticleToTag"]] == ["a"]
    assert await rows(database_url, 'SELECT "A", "B" FROM "_ArticleToTag"') == [(1, 1)]


REFERENCES = """
    CREATE TABLE article ({id}, title text, code int UNIQUE, slug varchar(20) UNIQUE);
    CREATE TABLE pair (x int, y int, z int, PRIMARY KEY (x, y));
    CREATE TABLE line (article_id int REFERENCES article, place int, n int, PRIMARY KEY (article_id, place));
    CREATE TABLE note ({id}, article_code int REFERENCES article (code), slug varchar(20) REFERENCES article (slug));
    CREATE TABLE uses ({id}, x int, y int, note text, FOREIGN KEY (x, y) REFERENCES pair);
    CREATE TABLE comment ({id}, article_no int, place int, FOREIGN KEY (article_no, place) REFERENCES line);
    CREATE TABLE reply ({id}, no int, place int, FOREIGN KEY (no, place) REFERENCES comment_place (no, place));
"""


async def test_references_that_are_lost_are_told(database_url: str) -> None:
    script = REFERENCES.replace(
        "    CREATE TABLE reply",
        "    CREATE TABLE comment_place (no int REFERENCES article, place int, PRIMARY KEY (no, place));\n    CREATE TABLE reply",
    )
    inference = await infer_from(database_url, script + "INSERT INTO pair VALUES (1, 2, 3)")
    left_out = dict(inference.inferred.left_out)
    lost = "is left out, because"
    assert left_out["note.article_code"] == f"the reference to article (code) {lost} that is not its primary key"
    assert left_out["note.slug"] == f"the reference to article (slug) {lost} that is not its primary key"
    assert left_out["uses (x, y)"] == f"the reference to pair (x, y) {lost} it has several columns"
    assert left_out["comment.article_no"] == left_out["reply.no"] == "it holds a key of a row, which clients do not see"
    for declared in (
        "article_code: int | None",
        "x: int | None",
        "y: int | None",
        "slug: str | None = field(max_length=20)",
    ):
        assert f"    {declared}\n" in inference.text
    assert "    article_no: " not in inference.text
    assert "    no: " not in inference.text
    async with inference.served() as call:
        made = await call("POST", "uses", {"x": 1, "y": 2, "note": "a"})
        assert (made.status, made.data["x"], made.data["y"]) == (201, 1, 2)


async def test_what_the_database_alone_enforces(database_url: str) -> None:
    sqlite = database_url.startswith("sqlite")
    trigger = (
        "CREATE TRIGGER watch AFTER INSERT ON t BEGIN SELECT 1; END;"
        if sqlite
        else "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER watch BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();"
    )
    inference = await infer_from(
        database_url,
        "CREATE TABLE t ({id}, email text, n int, CHECK (abs(n) < 5)); CREATE INDEX plain ON t (upper(email));"
        f"CREATE UNIQUE INDEX lowered ON t (lower(email)); CREATE UNIQUE INDEX few ON t (n) WHERE n > 3; {trigger}",
    )
    reasons = inference.reasons("t")
    assert len(reasons) == 4
    for part in ("abs(n) < 5", "lower(email)", "WHERE", "trigger watch"):
        assert [reason for reason in reasons if part in reason.replace("((", "(")], part
    assert all(reason.startswith("enforced only by the database: ") for reason in reasons)
    assert inference.declared("email") == "email: str | None"


async def test_what_postgresql_alone_enforces(postgres_database: str) -> None:
    inference = await infer_from(
        postgres_database,
        "CREATE TABLE t (id serial PRIMARY KEY, room int, doc jsonb UNIQUE, during tsrange,"
        "EXCLUDE USING gist (int4range(room, room, '[]') WITH &&), UNIQUE (room, during));"
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    )
    shown = " / ".join(inference.reasons("t"))
    for part in ("EXCLUDE USING gist", "row level security", "UNIQUE (doc)", "UNIQUE (room, during)"):
        assert part in shown


async def test_only_keys_is_said_only_of_keys(database_url: str) -> None:
    photo = "BLOB" if database_url.startswith("sqlite") else "point"
    inference = await infer_from(
        database_url,
        f"CREATE TABLE a ({{id}}, n int); CREATE TABLE pictures ({{id}}, photo {photo});"
        "CREATE TABLE bare ({id}); CREATE TABLE ids ({id}, other int REFERENCES pictures)",
    )
    assert inference.reasons("pictures") == ["none of its columns beside the key can be part of a contract"]
    assert inference.reasons("bare") == ["it has no column beside its key"]
    assert inference.reasons("ids") == ["all its columns are keys that are not part of the contract"]


async def test_the_length_of_a_column_is_its_own(database_url: str) -> None:
    inference = await infer_from(
        database_url,
        "CREATE TABLE post ({id}, title varchar(20000), more varchar(50000) CHECK (length(more) <= 30000));",
    )
    assert inference.declared("title") == "title: str | None = field(max_length=20000)"
    assert inference.declared("more") == "more: str | None = field(max_length=30000)"
    async with inference.served() as call:
        made = await call("POST", "posts", {"title": "x" * 20000, "more": "y" * 30000})
        assert made.status == 201, made.json()
        again = await call("PATCH", f"posts/{made.data['id']}", {"title": made.data["title"]})
        assert (again.status, len(again.data["title"])) == (200, 20000)
        assert (await call("POST", "posts", {"title": "x" * 20001})).status == 400


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
async def test_fewer_digits_are_told(database: str, database_url: str) -> None:
    inference = await infer_from(database_url, "CREATE TABLE t ({id}, a numeric(30,2), b numeric(15,2))")
    assert inference.inferred.left_out == [
        ("t.a", "only 15 of its 30 digits are exact in this database, and no more can be written")
    ]


async def test_a_narrowed_length_is_told(database_url: str) -> None:
    inference = await infer_from(
        database_url, "CREATE TABLE t ({id}, a varchar(2000000), b text CHECK (length(b) <= 3000000), c text)"
    )
    assert inference.declared("a") == "a: str | None = field(max_length=1000000)"
    assert inference.declared("b") == "b: str | None"
    assert inference.reasons("t.a") == ["at most 1000000 of its 2000000 characters can be written"]
    assert "length(b) <= 3000000" in inference.reasons("t")[0]


# -- schemas and addresses


async def test_a_view_that_is_asked_for(postgres_database: str) -> None:
    script = (
        "CREATE SCHEMA sales; CREATE TABLE sales.a (id serial PRIMARY KEY, n int); CREATE VIEW sales.v AS SELECT 1 AS n"
    )
    for wanted in ("v", "sales.v"):
        with pytest.raises(StartupError, match=r"sales\.v: it is a view"):
            await infer_from(postgres_database, script, schemas=["sales"], tables=[wanted])
        script = ""
    with pytest.raises(StartupError, match="has no table w"):
        await infer_from(postgres_database, "", schemas=["sales"], tables=["w"])


SCHEMAS = """
    CREATE SCHEMA sales; CREATE SCHEMA empty; CREATE SCHEMA hr;
    CREATE TABLE sales.a (id serial PRIMARY KEY, n int); CREATE TABLE sales.b (id serial PRIMARY KEY, n int);
    CREATE TABLE hr.a (id serial PRIMARY KEY, n int);
"""


async def test_other_schemas_with_tables_are_told(postgres_database: str) -> None:
    inference = await infer_from(postgres_database, SCHEMAS + "CREATE TABLE own (id serial PRIMARY KEY, n int)")
    assert inference.inferred.left_out == [
        ("schema hr", "it has one table, which is read with --schema hr"),
        ("schema sales", "it has 2 tables, which are read with --schema sales"),
    ]
    chosen = infer(postgres_database, "--schema", "public")
    assert "--schema sales" not in chosen.stdout + chosen.stderr
    told = infer(postgres_database)
    assert "it has 2 tables, which are read with --schema sales" in told.stderr


async def test_a_database_whose_tables_are_elsewhere(postgres_database: str) -> None:
    with pytest.raises(StartupError, match=r"no table that a contract can serve[.]\n  schema hr: it has one table"):
        await infer_from(postgres_database, SCHEMAS)


async def test_a_database_without_tables(database_url: str) -> None:
    with pytest.raises(StartupError, match=r"no table that a contract can serve[.]$"):
        await infer_from(database_url, "CREATE TABLE t (n int); DROP TABLE t")


ALIKE = """
    CREATE TABLE orders ({id}, n int); CREATE TABLE "order" ({id}, n int); CREATE TABLE order_line ({id}, n int);
    CREATE TABLE "OrderLines" ({id}, n int); CREATE TABLE "заказ" ({id}, n int); CREATE TABLE "日本" ({id}, n int);
"""


async def test_addresses_do_not_depend_on_other_tables(database_url: str) -> None:
    inference = await infer_from(database_url, ALIKE)
    before = inference.addresses
    assert len(set(before.values())) == 6
    assert before["orders"] == "orders"
    assert all(re.fullmatch("orders-[0-9a-f]{4}|order-lines(-[0-9a-f]{4})?|tables-[0-9a-f]{4}", path) for path in
               before.values() if path != "orders")  # fmt: skip
    more = "".join(f'CREATE TABLE "{name}" ({{id}}, n int);' for name in ("aaa", "中国", "товар", "orderly", "zzz"))
    after = (await infer_from(database_url, more)).addresses
    assert {name: after[name] for name in before} == before
    assert len(set(after.values())) == 11
    await execute(database_url, 'DROP TABLE aaa; DROP TABLE "order"; DROP TABLE "中国"')
    fewer = (await infer_from(database_url, "")).addresses
    assert {name: after[name] for name in fewer} == fewer
    async with inference.served() as call:
        for name in ("orders", "заказ", "日本", "OrderLines"):
            made = await call("POST", before[name], {"n": 1})
            assert made.status == 201, made.json()


async def test_tables_of_one_name_in_two_schemas(postgres_database: str) -> None:
    script = (
        "CREATE SCHEMA archive; CREATE SCHEMA sales;"
        "CREATE TABLE orders (id serial PRIMARY KEY, n int); CREATE TABLE archive.orders (id serial PRIMARY KEY, n int);"
    )
    inference = await infer_from(postgres_database, script, schemas=["archive", "public", "sales"])
    assert inference.addresses == {"orders": "orders", "archive.orders": "archive-orders"}
    assert "class ArchiveOrder(Resource" in inference.text
    more = "CREATE TABLE sales.orders (id serial PRIMARY KEY, n int); CREATE TABLE archive.a (id serial PRIMARY KEY, n int)"
    after = await infer_from(postgres_database, more, schemas=["archive", "public", "sales"])
    assert after.addresses == {**inference.addresses, "sales.orders": "sales-orders", "archive.a": "as"}
    async with after.served() as call:
        for path in after.addresses.values():
            made = await call("POST", path, {"n": 1})
            assert made.status == 201, made.json()


NAMES = r'''
    CREATE TABLE "a.b ""c" ({id}, "x.y" int, "z""" int, "d{}" int, "%s" int, "$1" int, "`" int, "\" int, "a;b" int);
    CREATE TABLE x_y ({id}, "a b" int, a_b int, "A_b2" int, "count" int, "select" int, "data" text, str text, "int" int);
    CREATE TABLE "SELECT" ({id}, "from" int REFERENCES x_y, "Größe" int, "名前" text, "имя" text);
'''


async def test_names_of_every_sort_are_served(database_url: str) -> None:
    inference = await infer_from(database_url, NAMES)
    assert inference.addresses == {'a.b "c': "a-b-cs", "x_y": "x-ys", "SELECT": "selects"}
    assert inference.inferred.left_out == []
    async with inference.served() as call:
        for path in inference.addresses.values():
            fields = (await call("POST", path, {})).data
            listed = await call("GET", path)
            assert (listed.status, listed.data) == (200, [fields])
        values = {"column": "name", "columnValue": "имя"}
        made = await call("POST", "selects", values)
        assert {name: made.data[name] for name in values} == values
    stored = await rows(database_url, 'SELECT "名前", "имя" FROM "SELECT" ORDER BY id DESC LIMIT 1')
    assert stored == [("name", "имя")]


def test_a_name_that_the_contract_cannot_have() -> None:
    result = infer("sqlite:///nowhere.sqlite", "--name", "My Shop")
    assert result.returncode == 2
    assert "'My Shop' is no name of a contract" in result.stderr


async def test_a_database_of_many_tables(database_url: str) -> None:
    script = "".join(
        f"CREATE TABLE part{i} ({{id}}, n int, x numeric(9,2), r int {f'REFERENCES part{i - 1}' if i else ''});"
        for i in range(200)
    )
    inference = await infer_from(database_url, script)
    assert len(inference.addresses) == 200
    assert inference.inferred.left_out == []

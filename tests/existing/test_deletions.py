"""What other programs' databases do with a change: a trigger that drops it, and row security that allows none."""

from __future__ import annotations

import asyncpg
import pytest

from sternpost.errors import ConstraintViolated
from sternpost.testing import Client
from tests.existing.support import infer_from, rows

DROPS_DELETIONS = {
    "sqlite": "CREATE TRIGGER keep_{table} BEFORE DELETE ON {table} BEGIN SELECT RAISE(IGNORE); END;",
    "postgresql": "CREATE TRIGGER keep_{table} BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION keep();",
}
FUNCTION = "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;"


async def test_a_deletion_that_a_trigger_drops_is_422(database_url: str) -> None:
    """Of a table to which others refer, too: there the row is removed along with theirs."""
    kind = database_url.partition(":")[0]
    triggers = "".join(DROPS_DELETIONS[kind].format(table=table) for table in ("stock", "place"))
    inference = await infer_from(
        database_url,
        """CREATE TABLE stock ({id}, n int); INSERT INTO stock (n) VALUES (1);
        CREATE TABLE place ({id}, n int); CREATE TABLE box ({id}, place_id int REFERENCES place ON DELETE CASCADE);
        CREATE TABLE shelf ({id}, place_id int REFERENCES place ON DELETE CASCADE, shelf_id int REFERENCES shelf);
        INSERT INTO place (n) VALUES (1); INSERT INTO box (place_id) VALUES (1);"""
        + (FUNCTION if kind == "postgresql" else "")
        + triggers,
    )
    async with inference.served() as call:
        for path in ("stocks", "places"):
            (row,) = (await call("GET", path)).data
            answer = await call("DELETE", f"{path}/{row['id']}")
            assert (answer.status, answer.error["code"]) == (422, "CONSTRAINT_VIOLATED"), path
            step = {"operation": f"{path}.delete", "id": row["id"]}
            assert (await call("POST", "$batch", {"operations": [step]})).status == 422
            assert (await call("GET", f"{path}/{row['id']}")).status == 200
    assert await rows(database_url, "SELECT place_id FROM box") == [(1,)]


async def test_a_row_that_may_be_read_but_not_changed_is_403(postgres_database: str) -> None:
    role = "sternpost_test_reader"
    server = await asyncpg.connect(postgres_database)
    if not await server.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await server.execute(f"CREATE ROLE {role} LOGIN")
    await server.close()
    inference = await infer_from(
        postgres_database,
        f"""CREATE TABLE note (id serial PRIMARY KEY, n int); INSERT INTO note (n) VALUES (1);
        ALTER TABLE note ENABLE ROW LEVEL SECURITY; CREATE POLICY shown ON note FOR SELECT USING (true);
        CREATE POLICY changed ON note FOR UPDATE USING (n > 50); CREATE POLICY removed ON note FOR DELETE USING (n > 50);
        GRANT ALL ON note TO {role}""",
        read_as=postgres_database.replace("//postgres@", f"//{role}@"),
    )
    async with inference.served() as call:
        (row,) = (await call("GET", "notes")).data
        assert (await call("PATCH", f"notes/{row['id']}", {"n": 60})).status == 403
        assert (await call("DELETE", f"notes/{row['id']}")).status == 403
        assert (await call("DELETE", f"notes/{row['id'][:-1]}0")).status == 404
    assert await rows(postgres_database, "SELECT n FROM note") == [(1,)]


async def test_a_domain_over_an_enum_is_left_out(postgres_database: str) -> None:
    inference = await infer_from(
        postgres_database,
        "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE DOMAIN today AS mood; CREATE TABLE day (id serial PRIMARY KEY, n int, m today)",
    )
    assert inference.reasons("day.m") == ["a domain over an enum type cannot be compared with a value"]


async def test_an_update_that_a_trigger_drops_is_no_missing_row(database_url: str) -> None:
    kind = database_url.partition(":")[0]
    trigger = DROPS_DELETIONS[kind].format(table="stock").replace("BEFORE DELETE", "BEFORE UPDATE")
    script = "CREATE TABLE stock ({id}, n int); INSERT INTO stock (n) VALUES (1);"
    inference = await infer_from(database_url, script + (FUNCTION if kind == "postgresql" else "") + trigger)
    app = inference.app()
    async with Client(app), app.data() as db:
        table = db.table(app.compiled.classes["Stock"])
        (row,) = await table.find()
        with pytest.raises(ConstraintViolated):
            await table.update(row.id, {"n": 2})


async def test_a_value_that_the_database_requires_is_named(database_url: str) -> None:
    """Although the contract does not: it was written for another version of the table."""
    inference = await infer_from(database_url, "CREATE TABLE stock ({id}, n int, place int NOT NULL DEFAULT 1)")
    inference.text = inference.text.replace("place: int", "place: int | None")
    async with inference.served() as call:
        answer = await call("POST", "stocks", {"n": 1, "place": None})
        assert (answer.status, answer.error["code"]) == (422, "CONSTRAINT_VIOLATED")
        assert [(detail["path"], detail["code"]) for detail in answer.error["details"]] == [("place", "required")]

"""Columns with arrays: every element is of the declared type, on every way in and out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from sternpost import Browse, Contract, Create, Read, Resource, Sternpost, Update, field, public
from sternpost.errors import ValueNotRepresentable
from sternpost.testing import Client, Response
from tests.conftest import LogLines
from tests.existing.support import execute, infer_from, rows, settings_for

SCHEMA = """
CREATE TABLE notes (id serial PRIMARY KEY, labels text[] NOT NULL DEFAULT '{}', short varchar(3)[], counts bigint[],
                    small smallint[], parts double precision[], flags boolean[], loose text[]);
"""


class Note(Resource, prefix="not", table="notes"):
    labels: list[str] = field(default=[], storage="array")
    short: list[str] | None = field(default=None, storage="array")
    counts: list[int] | None = field(default=None, storage="array")
    small: list[int] | None = field(default=None, storage="array")
    parts: list[float] | None = field(default=None, storage="array")
    flags: list[bool] | None = field(default=None, storage="array")
    loose: list[str | None] | None = field(default=None, storage="array")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


app = Sternpost(Contract("notes", resources=[Note], schema="external"), write_log=lambda line: None)


@pytest.fixture
async def client(postgres_database: str) -> AsyncIterator[Client]:
    await execute(postgres_database, SCHEMA)
    app.use(settings_for(postgres_database))
    async with Client(app) as client:
        yield client


async def create(client: Client, **body: Any) -> Response:
    return await client.post("/api/v1/notes", json=body)


async def test_what_fits_comes_back(client: Client, postgres_database: str) -> None:
    given = {
        "labels": ["a", "", "{}", "NULL", 'b"c', "ü", "\\"],
        "short": [],
        "counts": [2**63 - 1, -(2**63), 3.0],
        "small": [1],
        "parts": [0.1, 1, -5e-324],
        "flags": [True, False],
        "loose": [None, "a", None],
    }
    made = await create(client, **given)
    assert made.status == 201
    expected = {**given, "counts": [2**63 - 1, -(2**63), 3]}
    assert {name: made.data[name] for name in given} == expected
    read = await client.get(f"/api/v1/notes/{made.data['id']}")
    assert {name: read.data[name] for name in given} == expected
    back = await client.request(
        "PATCH", f"/api/v1/notes/{made.data['id']}", json={name: read.data[name] for name in given}
    )
    assert (back.status, {name: back.data[name] for name in given}) == (200, expected)
    assert (await create(client)).data["labels"] == []
    assert await rows(postgres_database, "SELECT labels, loose FROM notes ORDER BY id") == [
        (given["labels"], [None, "a", None]),
        ([], None),
    ]


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"labels": {"a": 1}}, "labels"),
        ({"labels": "a"}, "labels"),
        ({"labels": None}, "labels"),
        ({"labels": ["a", "b", 1]}, "labels.2"),
        ({"labels": ["a", ["b"]]}, "labels.1"),
        ({"labels": [None]}, "labels.0"),
        ({"labels": ["a\0"]}, "labels.0"),
        ({"labels": [True]}, "labels.0"),
        ({"counts": ["1"]}, "counts.0"),
        ({"counts": [1, 2**63]}, "counts.1"),
        ({"counts": [1.5]}, "counts.0"),
        ({"counts": [True]}, "counts.0"),
        ({"counts": [[1]]}, "counts.0"),
        ({"parts": ["1"]}, "parts.0"),
        ({"parts": [{}]}, "parts.0"),
        ({"flags": [1]}, "flags.0"),
        ({"loose": [1]}, "loose.0"),
    ],
)
async def test_what_does_not_fit_is_told_with_the_place_of_the_element(
    client: Client, body: dict[str, Any], path: str
) -> None:
    refused = await create(client, **body)
    assert (refused.status, [detail["path"] for detail in refused.error["details"]]) == (400, [path])
    made = await create(client)
    changed = await client.request("PATCH", f"/api/v1/notes/{made.data['id']}", json=body)
    assert (changed.status, [detail["path"] for detail in changed.error["details"]]) == (400, [path])


@pytest.mark.parametrize("body", [{"small": [2**15]}, {"short": ["long"]}])
async def test_what_the_column_does_not_hold_is_no_failure_of_the_server(client: Client, body: dict[str, Any]) -> None:
    assert (await create(client, **body)).status in (400, 422)


async def test_every_problem_is_told(client: Client) -> None:
    refused = await create(client, labels=[1, "a", 2], counts=["x"])
    assert [detail["path"] for detail in refused.error["details"]] == ["labels.0", "labels.2", "counts.0"]


async def test_the_schema_says_what_the_elements_are(client: Client) -> None:
    document = (await client.get("/openapi.json")).json()
    properties = document["components"]["schemas"]["Note"]["properties"]
    assert properties["labels"]["type"] == "array"
    assert properties["labels"]["items"]["type"] == "string"
    assert properties["short"]["type"] == ["array", "null"]
    assert properties["counts"]["items"]["type"] == "integer"
    assert properties["parts"]["items"]["type"] == "number"
    assert properties["flags"]["items"] == {"type": "boolean"}
    assert properties["loose"]["items"]["type"] == ["string", "null"]
    assert document["components"]["schemas"]["NoteCreate"]["properties"]["labels"]["items"]["type"] == "string"


async def test_values_that_are_no_plain_lists_cannot_be_represented(client: Client, postgres_database: str) -> None:
    await execute(postgres_database, "INSERT INTO notes (labels, loose) VALUES ('{{a,b},{c,d}}', '{a,NULL}')")
    answer = await client.get("/api/v1/notes")
    assert (answer.status, answer.error["code"]) == (500, "VALUE_NOT_REPRESENTABLE")
    assert answer.error["details"][0]["path"].endswith(".labels")
    await execute(postgres_database, "UPDATE notes SET labels = '{x,NULL}', parts = '{NaN}'")
    assert (await client.get("/api/v1/notes")).error["details"][0]["path"].endswith(".parts")
    await execute(postgres_database, "UPDATE notes SET parts = NULL")
    (row,) = (await client.get("/api/v1/notes")).data
    assert (row["labels"], row["loose"]) == (["x", None], ["a", None]), "a null that is there is shown"


async def test_the_data_client_takes_the_same(postgres_database: str) -> None:
    await execute(postgres_database, SCHEMA)
    app.use(settings_for(postgres_database))
    async with app.data() as db:
        notes = db.table(Note)
        made = await notes.create({"labels": ["a"], "counts": [1], "parts": [1], "loose": [None]})
        assert (made.labels, made.counts, made.parts, made.loose) == (["a"], [1], [1.0], [None])
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"labels": [1]}, r"Note\.labels\.0"),
            ({"labels": {"a": 1}}, r"Note\.labels takes list"),
            ({"labels": ["a", None]}, r"Note\.labels\.1"),
            ({"labels": ["a\0"]}, r"Note\.labels\.0"),
            ({"counts": [1, True]}, r"Note\.counts\.1"),
            ({"counts": [2**63]}, r"Note\.counts\.0"),
            ({"parts": [float("nan")]}, r"Note\.parts\.0"),
            ({"flags": [1]}, r"Note\.flags\.0"),
            ({"loose": [["a"]]}, r"Note\.loose\.0"),
        ]
        for data, said in wrong:
            with pytest.raises((TypeError, ValueError), match=said):
                await notes.create(data)
            with pytest.raises((TypeError, ValueError), match=said):
                await notes.update(made.id, data)
        await execute(postgres_database, "UPDATE notes SET labels = '{{a}}'")
        with pytest.raises(ValueNotRepresentable):
            await notes.find()


async def test_a_service_is_not_ready_with_elements_of_another_type(
    postgres_database: str, log_lines: LogLines
) -> None:
    await execute(postgres_database, SCHEMA.replace("counts bigint[]", "counts text[]"))
    contract = Contract("notes", resources=[Note], schema="external")
    served = Sternpost(contract, settings=settings_for(postgres_database), write_log=log_lines)
    async with Client(served) as client:
        assert (await client.get("/health/ready")).status == 503
    (told,) = {line for line in log_lines.raw if b"counts" in line}
    assert b"labels" not in told


async def test_arrays_of_several_dimensions_are_left_out_of_an_inference(postgres_database: str) -> None:
    inference = await infer_from(
        postgres_database,
        "CREATE DOMAIN grid AS integer[][]; CREATE TABLE t (id serial PRIMARY KEY, flat text[], square text[][], d grid)",
    )
    assert inference.declared("flat") == 'flat: list[str] | None = field(storage="array")'
    for column in ("square", "d"):
        (reason,) = inference.reasons(f"t.{column}")
        assert reason == "an array of 2 dimensions is not supported in a contract"

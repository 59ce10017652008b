"""A batch means what its steps mean alone, and a short body of it stays small."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from sternpost import (
    Browse,
    Context,
    Contract,
    Create,
    Custom,
    Json,
    Read,
    Resource,
    Settings,
    Sternpost,
    Update,
    field,
    implements,
    public,
)
from sternpost.pipeline.batch import REPEATED_BYTES_MAX, REPEATED_MEMBERS_MAX
from sternpost.testing import Client, Response

V1 = "/api/v1"
URL = f"{V1}/$batch"


class Note(Resource, prefix="not"):
    text: str = field(default="", max_length=2000)
    ratio: float | None
    whole: int | None
    more: Json | None
    version: int = field(auto="version")

    browse = Browse(allow=public, page_size=100, max_page_size=100)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = Sternpost(Contract("notes", resources=[Note]), settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


async def sent(client: Client, path: str, body: str) -> Response:
    """A POST of exactly this text."""
    return await client.request("POST", path, content=body.encode(), headers={"content-type": "application/json"})


def paths(answer: Response) -> list[tuple[str, str]]:
    return [(detail["path"], detail["code"]) for detail in answer.json()["error"]["details"]]


def deep(levels: int) -> str:
    return '{"a": ' * levels + "1" + "}" * levels


@pytest.mark.parametrize(
    "value",
    [
        *('{"ratio": NaN}', '{"ratio": Infinity}', '{"ratio": -Infinity}', '{"ratio": 1e400}', '{"ratio": "1"}'),
        *('{"whole": 9223372036854775808}', '{"whole": 123456789012345678901234567890}', '{"whole": 1.5}'),
        *('{"whole": 1e2}', '{"more": {"a": NaN}}', '{"more": {"a": [1e999]}}', '{"more": {"a": 1e22}}'),
        *('{"more": {"a": 123456789012345678901234567890}}', '{"text": 5}', '{"text": "\\u00e9\\u2028"}', "{}"),
        *(f'{{"more": {deep(32)}}}', f'{{"more": {deep(64)}}}', f'{{"more": {deep(65)}}}', f'{{"more": {deep(90)}}}'),
        *('{"more": {"$ref": 5}}', '{"more": {"$ref": "#/a", "type": "x"}}'),
        *('{"whole": -0}', '{"ratio": -0.0}', '{"ratio": 0.1}', '{"ratio": 1e-320}', '{"unknown": [1, {"a": NaN}]}'),
    ],
)
async def test_a_body_means_the_same_in_a_batch_as_alone(client: Client, value: str) -> None:
    alone = await sent(client, f"{V1}/notes", value)
    batch = await sent(client, URL, '{"operations": [{"operation": "notes.create", "body": ' + value + "}]}")
    if alone.status == 201:
        assert batch.status == 200, batch.content
        (result,) = batch.data
        assert {**result["data"], "id": None} == {**alone.data, "id": None}
        stored = (await client.get(f"{V1}/notes/{result['data']['id']}")).data
        assert {**stored, "id": None} == {**alone.data, "id": None}
    else:
        assert (batch.status, batch.json()["error"]["code"]) == (alone.status, alone.json()["error"]["code"])
        expected = [(f"operations.0.{path}" if path else "operations.0", code) for path, code in paths(alone)]
        assert paths(batch) == expected


async def test_an_object_that_looks_like_a_reference_can_be_sent(client: Client) -> None:
    """One `$` more in its name, and it is data; as many as there are."""
    for sent_as, meant in (("$$ref", "$ref"), ("$$$ref", "$$ref")):
        body = {"more": {"schema": {sent_as: "#/definitions/note"}, "items": [{sent_as: {sent_as: "x"}}]}}
        made = await client.post(URL, json={"operations": [{"operation": "notes.create", "body": body}]})
        assert made.status == 200, made.content
        expected = {"schema": {meant: "#/definitions/note"}, "items": [{meant: {meant: "x"}}]}
        assert made.data[0]["data"]["more"] == expected
    alone = await client.post(f"{V1}/notes", json={"more": {"$$ref": "x"}})
    assert alone.data["more"] == {"$$ref": "x"}


async def test_a_malformed_ifmatch_is_told_where_it_is(client: Client) -> None:
    made = (await client.post(f"{V1}/notes", json={})).data["id"]
    steps = [
        {"operation": "notes.read", "id": made},
        {"operation": "notes.update", "id": made, "body": {"whole": 1}, "ifMatch": "nonsense"},
    ]
    answer = await client.post(URL, json={"operations": steps})
    assert (answer.status, paths(answer)) == (400, [("operations.1.ifMatch", "invalid_header")])


@pytest.mark.parametrize("tag", ["W/{tag}", '"1-0123456789abcdef0"', '"1"', '"2-0123456789abcdef"', '"x"'])
async def test_a_weak_or_foreign_tag_matches_nothing(client: Client, tag: str) -> None:
    made = await client.post(f"{V1}/notes", json={})
    text = tag.format(tag=made.headers["etag"])
    steps = [{"operation": "notes.update", "id": made.data["id"], "body": {"whole": 1}, "ifMatch": text}]
    answer = await client.post(URL, json={"operations": steps})
    assert (answer.status, answer.json()["error"]["code"]) == (412, "PRECONDITION_FAILED")
    assert (await client.get(f"{V1}/notes/{made.data['id']}")).data["whole"] is None
    steps[0]["ifMatch"] = made.headers["etag"]
    assert (await client.post(URL, json={"operations": steps})).status == 200


async def test_references_repeat_a_bounded_amount(client: Client) -> None:
    for _ in range(20):
        steps = [{"operation": "notes.create", "body": {"text": "x" * 2000}}] * 5
        assert (await client.post(URL, json={"operations": steps})).status == 200

    async def answer(times: int) -> Response:
        steps = [
            {"as": "page", "operation": "notes.browse"},
            {"operation": "notes.create", "body": {"more": {"all": [{"$ref": "page"}] * times}}},
        ]
        return await client.post(URL, json={"operations": steps})

    page = len(orjson.dumps((await client.get(f"{V1}/notes")).data))
    assert page < REPEATED_BYTES_MAX < 10 * page
    assert (await answer(1)).status == 200
    await answer(2000)
    tracemalloc.start()
    refused = await answer(2000)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (refused.status, paths(refused)[0][1]) == (400, "too_large")
    assert paths(refused)[0][0].startswith("operations.1.more.all.")
    assert most < 20 * REPEATED_BYTES_MAX


@pytest.mark.parametrize("position", ["²", "٣", "-1", "1", "100000", "9" * 30, "00", ""])
async def test_a_position_that_a_list_does_not_have(client: Client, position: str) -> None:
    steps = [
        {"as": "all", "operation": "notes.browse"},
        {"operation": "notes.create", "body": {"text": {"$ref": f"all.{position}.text"}}},
    ]
    answer = await client.post(URL, json={"operations": steps})
    assert (answer.status, paths(answer)) == (400, [("operations.1.text", "unknown_reference")])


async def test_references_repeat_a_bounded_number_of_values(client: Client) -> None:
    """Short values take much more memory than bytes."""
    many = REPEATED_MEMBERS_MAX // 5

    async def answer(times: int) -> Response:
        steps = [
            {"as": "note", "operation": "notes.create", "body": {"more": {"all": [0] * many}}},
            {"operation": "notes.create", "body": {"more": {"all": [{"$ref": "note.more.all"}] * times}}},
        ]
        return await client.post(URL, json={"operations": steps})

    assert (await answer(4)).status == 200
    refused = await answer(5)
    assert (refused.status, paths(refused)) == (400, [("operations.1.more.all.4", "too_large")])


async def test_single_values_can_be_referred_to_in_every_step(client: Client) -> None:
    steps: list[dict[str, Any]] = [{"as": "first", "operation": "notes.create", "body": {"text": "x", "whole": 1}}]
    steps += [{"operation": "notes.create", "body": {"text": {"$ref": "first.text"}}}] * 49
    answer = await client.post(URL, json={"operations": steps})
    assert {result["data"]["text"] for result in answer.data} == {"x"}


@pytest.mark.parametrize("member", ["0", "{}", '{"a":0,"b":0}', "[]"])
async def test_a_batch_of_very_many_steps_makes_few_problems(client: Client, member: str) -> None:
    body = '{"operations": [' + ",".join([member] * (500_000 // len(member))) + "]}"
    tracemalloc.start()
    answer = await sent(client, URL, body)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status == 400
    assert len(answer.content) < 50_000
    assert most < 30 * 2**20


class Doc(Resource, prefix="doc"):
    title: str = field(default="t")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    poke = Custom(allow=public)


@implements(Doc.poke)
async def poke(ctx: Context, doc: Doc) -> None:
    """Changes nothing."""


async def test_a_step_has_only_what_its_operation_takes(make_settings: Callable[..., Settings]) -> None:
    app = Sternpost(Contract("docs", resources=[Doc]), services=[poke], settings=make_settings())
    async with Client(app) as client:
        doc = (await client.post("/api/v1/docs", json={})).data["id"]

        async def step(**step: Any) -> Any:
            answer = await client.post("/api/v1/$batch", json={"operations": [step]})
            return 200 if answer.status == 200 else [(each["path"], each["code"]) for each in answer.error["details"]]

        for operation in ("docs.browse", "docs.create"):
            body = {"body": {}} if operation == "docs.create" else {}
            assert await step(operation=operation, id=doc, **body) == [("operations.0.id", "unexpected_id")]
            assert await step(operation=operation, **body) == 200
        for operation in ("docs.read", "docs.poke"):
            told = await step(operation=operation, id=doc, body={"title": "x"})
            assert told == [("operations.0.body", "unexpected_body")]
            assert await step(operation=operation, id=doc, body={}) == 200

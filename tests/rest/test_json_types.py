"""`dict[str, Any]` takes objects and `list[Any]` lists, in fields and payloads, on every way in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from sternpost import (
    Context,
    Contract,
    Create,
    Custom,
    Payload,
    Read,
    Resource,
    Settings,
    Sternpost,
    Update,
    field,
    implements,
    public,
)
from sternpost.testing import Client


class Given(Payload):
    """What the operation takes and gives."""

    more: dict[str, Any]
    steps: list[Any] | None


class Note(Resource, prefix="not"):
    """Holds an object and a list."""

    more: dict[str, Any]
    steps: list[Any] = field(default=[])
    last: dict[str, Any] | None

    create = Create(allow=public)
    read = Read(allow=public)
    update = Update(allow=public)
    echo = Custom(on="collection", input=Given, output=Given, allow=public)


@implements(Note.echo)
async def echo(ctx: Context, input: Given) -> Given:
    return input


app = Sternpost(Contract("notes", resources=[Note]), services=[echo], write_log=lambda line: None)


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app.use(make_settings())
    async with Client(app) as client:
        yield client


async def test_what_fits_comes_back(client: Client) -> None:
    sent = {"more": {"a": [1, {"b": None}]}, "steps": [1, "a", [2], None], "last": {}}
    made = await client.post("/api/v1/notes", json=sent)
    assert (made.status, {name: made.data[name] for name in sent}) == (201, sent)
    read = (await client.get(f"/api/v1/notes/{made.data['id']}")).data
    assert {name: read[name] for name in sent} == sent
    plain = (await client.post("/api/v1/notes", json={"more": {}})).data
    assert (plain["steps"], plain["last"]) == ([], None)
    echoed = await client.post("/api/v1/notes/echo", json={"more": {"x": 1}, "steps": [1]})
    assert echoed.data == {"more": {"x": 1}, "steps": [1]}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"more": []}, "more"),
        ({"more": "a"}, "more"),
        ({"more": None}, "more"),
        ({"more": {}, "steps": {}}, "steps"),
        ({"more": {}, "steps": 1}, "steps"),
        ({"more": {"a": "\0"}}, "more"),
    ],
)
async def test_what_does_not_fit_is_refused(client: Client, body: dict[str, Any], path: str) -> None:
    made = (await client.post("/api/v1/notes", json={"more": {}})).data["id"]
    for method, address in (("POST", "notes"), ("PATCH", f"notes/{made}"), ("POST", "notes/echo")):
        refused = await client.request(method, f"/api/v1/{address}", json=body)
        assert (refused.status, [detail["path"] for detail in refused.error["details"]]) == (400, [path])


async def test_the_data_client_and_outputs_take_the_same(client: Client) -> None:
    async with app.data() as db:
        notes = db.table(Note)
        made = await notes.create({"more": {"a": 1}, "steps": [1]})
        for wrong in ({"more": []}, {"more": "a"}, {"steps": {}}):
            with pytest.raises(TypeError, match=r"Note\.(more|steps) takes (dict|list)"):
                await notes.update(made.id, wrong)


async def test_the_schema_says_so(client: Client) -> None:
    properties = (await client.get("/openapi.json")).json()["components"]["schemas"]["NoteCreate"]["properties"]
    assert properties["more"] == {"type": "object"}
    assert properties["steps"] == {"type": "array", "default": []}
    assert properties["last"] == {"type": ["object", "null"]}

"""Numbers within JSON keep every digit, whichever way they come and go."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from sternpost import (
    Browse,
    Change,
    Context,
    Contract,
    Create,
    Custom,
    Json,
    One,
    Owned,
    Payload,
    Read,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Update,
    field,
    implements,
    public,
)
from sternpost.ports.audit import AuditQuery
from sternpost.testing import Client, Response

V1 = "/api/v1"
LONG = '{"n":12345678901234567890123,"d":[0.12345678901234567891],"s":"1234567890123456789","x":0.1}'
SEEN: list[Any] = []


class Message(Payload):
    body: Json


class Doc(Resource, prefix="doc", audit=True):
    body: Json = field(default=None)
    version: int = field(auto="version")
    parts: Owned[Part]

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    replace = Replace(allow=public)
    echo = Custom(method="POST", input=Message, output=Message, allow=public)


class Part(Resource, prefix="par"):
    doc: One[Doc]
    body: Json


@implements(Doc.echo)
async def echo(context: Context, doc: Doc, message: Message) -> Message:
    SEEN.append(message.body)
    return Message(body={"got": message.body, "more": Decimal("1.23456789012345678901234567890")})


@implements(Doc.update)
async def change(context: Context, change: Change[Doc]) -> Doc:
    SEEN.append(change["body"])
    return await change.apply()


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    SEEN.clear()
    contract = Contract("numbers", resources=[Doc, Part])
    app = Sternpost(contract, services=[echo, change], settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


def exactly(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


async def send(client: Client, method: str, path: str, body: str) -> Response:
    headers = {"Content-Type": "application/json"}
    return await client.request(method, f"{V1}/{path}", content=body.encode(), headers=headers)


async def test_each_way_in_and_out(client: Client) -> None:
    made = await send(client, "POST", "docs", f'{{"body":{LONG},"parts":[{{"body":1}},{{"body":{LONG}}}]}}')
    data = exactly(made.content)["data"]
    assert (data["body"], data["parts"][1]["body"]) == (exactly(LONG), exactly(LONG))
    for path in (data["id"], ""):
        assert exactly(LONG) in [each["body"] for each in _rows(await client.get(f"{V1}/docs/{path}".rstrip("/")))]
    changed = await send(client, "PATCH", f"docs/{data['id']}", f'{{"body":[{LONG}]}}')
    assert exactly(changed.content)["data"]["body"] == [exactly(LONG)]
    replaced = await send(client, "PUT", f"docs/{data['id']}", f'{{"body":{LONG},"parts":[]}}')
    assert exactly(replaced.content)["data"]["body"] == exactly(LONG)
    echoed = await send(client, "POST", f"docs/{data['id']}/echo", f'{{"body":{LONG}}}')
    told = exactly(echoed.content)["data"]["body"]
    assert told == {"got": exactly(LONG), "more": Decimal("1.23456789012345678901234567890")}
    assert SEEN == [[LONG_SEEN], LONG_SEEN]
    assert (
        await client.get(f"{V1}/docs/{data['id']}", headers={"If-None-Match": replaced.headers["etag"]})
    ).status == 304


LONG_SEEN = {
    "n": 12345678901234567890123,
    "d": [Decimal("0.12345678901234567891")],
    "s": "1234567890123456789",
    "x": 0.1,
}


def _rows(answer: Response) -> list[Any]:
    data = exactly(answer.content)["data"]
    return data if isinstance(data, list) else [data]


async def test_a_batch_repeats_them(client: Client) -> None:
    first = f'{{"operation":"docs.create","as":"x","body":{{"body":{LONG}}}}}'
    second = '{"operation":"docs.create","body":{"body":[{"$ref":"x.body.n"},{"$ref":"x.body"}]}}'
    done = await send(client, "POST", "$batch", f'{{"operations":[{first},{second}]}}')
    wanted = [exactly(LONG)["n"], exactly(LONG)]
    assert [each["data"]["body"] for each in exactly(done.content)["data"]] == [exactly(LONG), wanted]


async def test_a_batch_repeats_a_whole_row(client: Client) -> None:
    """With its times and ids, as they were answered."""
    first = '{"operation":"docs.create","as":"x","body":{"body":1}}'
    second = '{"operation":"docs.create","body":{"body":{"$ref":"x"}}}'
    done = (await send(client, "POST", "$batch", f'{{"operations":[{first},{second}]}}')).json()["data"]
    assert done[1]["data"]["body"] == done[0]["data"]


async def test_the_trail_keeps_them(client: Client) -> None:
    made = await send(client, "POST", "docs", f'{{"body":{LONG}}}')
    trail = client.app.running.runtime.storage.audit_trail()
    (entry,) = await trail.entries(AuditQuery(row_id=exactly(made.content)["data"]["id"]))
    assert entry.after is not None
    assert entry.after["body"] == LONG_SEEN


@pytest.mark.parametrize("number", ["1e400", "1e-1001", "0.1e-99999", "1e999999999999", "9" * 1001, "NaN", "Infinity"])
async def test_a_number_has_an_end(client: Client, number: str) -> None:
    """Few characters could stand for many digits, which a database would write out."""
    bodies = {
        "body": f'{{"body":{{"a":[{number},123456789012345678]}}}}',
        "parts.1.body": f'{{"parts":[{{"body":1}},{{"body":{number}}}]}}',
    }
    for path, body in bodies.items():
        alone = await send(client, "POST", "docs", body)
        step = f'{{"operation":"docs.create","body":{body}}}'
        batch = await send(client, "POST", "$batch", f'{{"operations":[{step}]}}')
        for answer, where in ((alone, path), (batch, f"operations.0.{path}")):
            assert answer.status == 400
            assert [(each["path"], each["code"]) for each in answer.error["details"]] == [(where, "number_range")]

"""In which order a request is refused, and what a client can carry from one request to another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Many,
    One,
    Read,
    Resource,
    Settings,
    Sternpost,
    Update,
    authenticated,
    caller,
    field,
    many,
    one,
    public,
    this,
)
from sternpost.auth.api_keys import new_key, well_formed
from sternpost.testing import Client

V1 = "/api/v1"
BODY_MAX = 300


class Person(Resource, prefix="per", owner="id", plural="people"):
    name: str = field(filter=True)

    browse = Browse(allow=authenticated, sort=["name"], page_size=1, max_page_size=1)
    read = Read(allow=authenticated)
    create = Create(allow=public)


class Tag(Resource, prefix="tag", owner="of_id"):
    of: One[Person] = one(default=caller)
    name: str = field(filter=True)
    notes: Many[Note] = many(through="note_tags", max_length=2)

    browse = Browse(allow=this.is_owner, sort=["name"], page_size=1, max_page_size=1)
    create = Create(allow=authenticated)


class Note(Resource, prefix="not", owner="writer_id"):
    writer: One[Person] = one(default=caller, write="create")
    text: str = field(default="")
    shared: bool = field(default=False)
    tags: Many[Tag] = many(through="note_tags")
    version: int = field(auto="version")

    read = Read(allow=this.is_owner | this.shared.eq(True))
    create = Create(allow=authenticated)
    update = Update(allow=this.is_owner)


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    contract = Contract("notes", resources=[Person, Tag, Note])
    settings = make_settings(max_body_bytes=BODY_MAX, cors_origins=["https://app.example"])
    async with Client(Sternpost(contract, settings=settings, write_log=lambda line: None)) as client:
        yield client


async def made(client: Client, path: str, token: str | None = None, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"{V1}/{path}", json=body, token=token)
    assert answer.status == 201, answer.content
    return answer.data


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{}", "text/plain"),
        (b"{}", "application/json; charset=latin1"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b'{"unknown": 1}', "application/json"),
    ],
)
async def test_who_is_unknown_is_told_so_before_anything_else(client: Client, content: bytes, kind: str) -> None:
    headers = {"content-type": kind}
    for path in ("notes", "notes?a=%ff", "notes/not_x", "notes/not_x?include=nothing"):
        method = "PATCH" if "not_x" in path else "POST"
        answer = await client.request(method, f"{V1}/{path}", content=content, headers=headers)
        assert answer.status == 401, (path, answer.content)
        broken = {**headers, "if-match": "nonsense", "accept": "text/html"}
        assert (await client.request(method, f"{V1}/{path}", content=content, headers=broken)).status == 401


async def test_a_precondition_tells_nothing_of_rows_that_are_not_the_callers(client: Client) -> None:
    ann = client.token((await made(client, "people", name="Ann"))["id"])
    ben = client.token((await made(client, "people", name="Ben"))["id"])
    hidden = (await made(client, "notes", ann))["id"]
    shared = (await made(client, "notes", ann, shared=True))["id"]
    for tag in ('"1-0000000000000000"', '"7-0000000000000000"', "*", '"x"'):
        for note, status in ((hidden, 404), ("not_" + "0" * 32, 404), (shared, 403)):
            changed = await client.patch(f"{V1}/notes/{note}", json={"text": "x"}, token=ben, headers={"if-match": tag})
            assert changed.status == status, (tag, note, changed.content)


async def test_cors_sends_no_credentials(client: Client) -> None:
    asked = {"origin": "https://app.example", "access-control-request-method": "POST"}
    for method, headers in (("OPTIONS", asked), ("GET", {"origin": "https://app.example"})):
        answer = await client.request(method, f"{V1}/people", headers=headers)
        assert answer.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_cursor_is_that_of_one_list(client: Client) -> None:
    ann = (await made(client, "people", name="Ann"))["id"]
    await made(client, "people", name="Ben")
    token = client.token(ann)
    for name in ("a", "b"):
        await made(client, "tags", token, name=name)

    async def cursor(query: str) -> str:
        page = await client.get(f"{V1}/{query}&cursor=", token=token)
        return page.json()["meta"]["nextCursor"]

    of_people = await cursor("people?sort=name")
    own = "people?sort=name"
    others = [
        "people?sort=-name",
        "people?sort=name&name[in]=Ann,Ben",
        "people?name=Ben&sort=name",
        "tags?sort=name",
        "people?",
    ]
    assert (await client.get(f"{V1}/{own}&cursor={of_people}", token=token)).data[0]["name"] == "Ben"
    for query in others:
        answer = await client.get(f"{V1}/{query}&cursor={of_people}", token=token)
        assert answer.status == 400, query
        assert [detail["code"] for detail in answer.json()["error"]["details"]] == ["invalid_cursor"]
    named = await cursor("people?sort=name&name[startsWith]=")
    other_operator = await client.get(f"{V1}/people?sort=name&name[contains]=&cursor={named}", token=token)
    assert other_operator.status == 400, "the same value, compared in another way"
    filtered = await cursor("people?sort=name&name[in]=Ann,Ben")
    refused = await client.get(f"{V1}/people?sort=name&name[in]=Ann,Cy&cursor={filtered}", token=token)
    assert refused.status == 400


NAMES = [
    'a"b',
    "a>b",
    "a<b",
    "a b",
    "a\tb",
    "a,b",
    "é",
    "a;rel=x",
    "a%22b",
    "a&b=c",
    "a#b",
    "a\\b",
    "a^b",
    "a`b",
    "a{|}b",
]
RAW = [name for name in NAMES if name.isascii() and not set(name) & set("&%+")]
"""Those that a client can also send as they are, though a URL has to encode them."""


@pytest.mark.parametrize(
    ("name", "sent"), [*((name, quote(name, safe="")) for name in NAMES), *((name, name) for name in RAW)]
)
async def test_the_address_of_the_next_page_is_quoted(client: Client, name: str, sent: str) -> None:
    token = client.token((await made(client, "people", name=name))["id"])
    await made(client, "people", name=name)
    page = await client.get(f"{V1}/people?name={sent}&sort=name", token=token)
    link = page.headers["link"]
    address = link.removeprefix("<").partition(">")[0]
    assert link == f'<{address}>; rel="next"'
    assert address.isascii()
    assert not set(address) & set(' "<>\\^`{|}')
    following = await client.get(address, token=token)
    assert [row["name"] for row in following.data] == [name]
    assert following.data != page.data


async def test_linked_rows_are_included_under_their_policy(client: Client) -> None:
    ann = (await made(client, "people", name="Ann"))["id"]
    ben = (await made(client, "people", name="Ben"))["id"]
    tags = [(await made(client, "tags", client.token(who), name="t"))["id"] for who in (ann, ben)]
    note = (await made(client, "notes", client.token(ann), shared=True, tagIds=tags[:1]))["id"]
    async with client.app.data() as db:
        await db.table(Note).update(note, {"tags": {"connect": tags[1]}})
    for who, tag in ((ann, tags[0]), (ben, tags[1])):
        token = client.token(who)
        shown = (await client.get(f"{V1}/notes/{note}?include=tags", token=token)).data["tags"]
        assert [row["id"] for row in shown] == [tag]
        listed = (await client.get(f"{V1}/notes/{note}/tags", token=token)).data
        assert [row["id"] for row in listed] == [tag]


async def test_no_more_linked_rows_are_included_than_the_contract_allows(client: Client) -> None:
    ann = client.token((await made(client, "people", name="Ann"))["id"])
    tag = (await made(client, "tags", ann, name="t"))["id"]
    notes: list[str] = []
    for count in (1, 2, 3):
        notes.append((await made(client, "notes", ann, tagIds=[tag]))["id"])
        page = (await client.get(f"{V1}/tags?include=notes", token=ann)).json()
        assert [row["id"] for row in page["data"][0]["notes"]] == notes[:2]
        assert page["meta"].get("truncated") == (["notes"] if count > 2 else None)


async def test_a_body_of_exactly_the_limit_is_read(client: Client) -> None:
    body = b'{"name": "Ann"}'
    headers = {"content-type": "application/json"}
    for size, status in ((BODY_MAX, 201), (BODY_MAX + 1, 413)):
        content = body + b" " * (size - len(body))
        for more in ({}, {"content-length": str(size)}):
            answer = await client.request("POST", f"{V1}/people", content=content, headers={**headers, **more})
            assert answer.status == status, (size, more)


def test_a_mistyped_api_key_is_no_key() -> None:
    key = new_key()
    assert well_formed(key)
    for at in range(4, len(key)):
        other = "A" if key[at] != "A" else "B"
        assert not well_formed(key[:at] + other + key[at + 1 :])

"""Rows that count their changes: ETag, If-Match, If-None-Match, on each database."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Custom,
    Delete,
    Many,
    One,
    Owned,
    Read,
    Replace,
    Resource,
    Settings,
    Sternpost,
    Transition,
    Update,
    field,
    implements,
    many,
    one,
    public,
)
from sternpost.testing import Client
from sternpost.testing.client import Response
from tests.conftest import LogLines

V1, V2 = "/api/v1", "/api/v2"


class Topic(Resource, prefix="top"):
    name: str = field(unique=True)
    version: int = field(auto="version")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public, require_match=True)
    delete = Delete(allow=public, require_match=True)


class Note(Resource, prefix="not"):
    title: str
    body: str = field(default="", read="notes:secret")
    length: int = field(default=0)
    state: Literal["draft", "open"] = field(default="draft", write="never")
    topic: One[Topic] | None = one(on_delete="set_null")
    topics: Many[Topic] = many(through="note_topics", write="always")
    lines: Owned[NoteLine]
    version: int = field(auto="version")

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    replace = Replace(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)
    open = Transition("state", source="draft", target="open", allow=public)
    touch = Custom(allow=public)
    look = Custom(allow=public, method="GET")


class NoteLine(Resource, prefix="nln"):
    note: One[Note]
    text: str


class Plain(Resource, prefix="pla"):
    name: str
    parts: Owned[PlainPart]

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)


class PlainPart(Resource, prefix="plp"):
    plain: One[Plain]
    name: str


contract = Contract(
    "notes",
    resources=[Topic, Note, NoteLine, Plain, PlainPart],
    api_version="v2",
)


@implements(Note.touch)
async def touch(ctx: Any, note: Note) -> None:
    await ctx.repository(Note).update_many({"id": note.id}, {"length": {"increment": 1}})
    await ctx.data.table(Note).update_many({"id": note.id}, {"title": "touched"})
    await ctx.data.table(Note).update(note.id, {"length": {"increment": 1}})
    await ctx.repository(Note).update(note.id, {"title": "touched again"})


@implements(Note.look)
async def look(ctx: Any, note: Note) -> None:
    assert note.version >= 1


@pytest.fixture
async def client(make_settings: Callable[..., Settings], log_lines: LogLines) -> AsyncIterator[Client]:
    app = Sternpost(
        contract,
        services=[touch, look],
        settings=make_settings(cors_origins=["https://app.example.com"]),
        write_log=log_lines,
    )
    async with Client(app) as client:
        yield client


async def made(client: Client, **more: Any) -> tuple[str, Response]:
    answer = await client.post(f"{V2}/notes", json={"title": "One", **more})
    assert answer.status == 201, answer.content
    return f"{V2}/notes/{answer.data['id']}", answer


def etag(answer: Response) -> str:
    return answer.headers["etag"]


async def test_every_answer_of_one_row_has_the_tag_of_what_it_shows(client: Client) -> None:
    url, created = await made(client, lines=[{"text": "a"}])
    assert re.fullmatch(r'"1-[0-9a-f]{16}"', etag(created))
    assert created.data["version"] == 1
    read = await client.get(url)
    assert etag(read) == etag(created)
    assert etag(await client.request("HEAD", url)) == etag(created)
    for method, json in (("PATCH", {"title": "Two"}), ("PUT", {"title": "Three"})):
        changed = await client.request(method, url, json=json)
        assert changed.status == 200
        assert etag(changed) == etag(await client.get(url))
    opened = await client.post(f"{url}/open")
    assert (opened.data["version"], etag(opened)) == (4, etag(await client.get(url)))
    touched = await client.post(f"{url}/touch")
    assert (touched.data["version"], touched.data["length"]) == (8, 2)
    assert etag(touched) == etag(await client.get(url)) == etag(await client.get(f"{url}/look"))
    assert "etag" not in (await client.get(f"{V2}/notes")).headers
    assert "etag" not in (await client.delete(url)).headers


async def test_another_representation_has_another_tag(client: Client) -> None:
    topic = (await client.post(f"{V2}/topics", json={"name": "Tools"})).data["id"]
    url, created = await made(client, topicId=topic, topicIds=[topic])
    tags = {
        etag(created),
        etag(await client.get(f"{url}?fields=title")),
        etag(await client.get(f"{url}?fields=length")),
        etag(await client.get(f"{url}?include=topic")),
        etag(await client.get(url, token=client.token("someone", "notes:secret"))),
    }
    assert len(tags) == 5
    included = await client.get(f"{url}?include=topic")
    renamed = await client.patch(
        f"{V2}/topics/{topic}", json={"name": "Toys"}, headers={"If-Match": '"1-0000000000000000"'}
    )
    assert renamed.status == 200
    again = await client.get(f"{url}?include=topic", headers={"If-None-Match": etag(included)})
    assert (again.status, again.data["topic"]["name"]) == (200, "Toys")
    # whichever representation was read, it is that state of the row that is changed
    kept = await client.patch(url, json={"title": "Two"}, headers={"If-Match": etag(included)})
    assert kept.status == 200


async def test_if_none_match(client: Client) -> None:
    url, created = await made(client)
    tag = etag(created)
    for sent in (tag, f"W/{tag}", f'"x", {tag}', f',, "a,b" ,{tag}', "*"):
        for method in ("GET", "HEAD"):
            same = await client.request(method, url, headers={"If-None-Match": sent})
            assert (same.status, same.content, etag(same)) == (304, b"", tag)
            assert "content-length" not in same.headers
            assert "content-type" not in same.headers
            assert same.headers["cache-control"] == "no-store"
            assert same.headers["x-request-id"]
    for sent in ('"1-0000000000000000"', 'W/""', tag.replace("1-", "2-")):
        assert (await client.get(url, headers={"If-None-Match": sent})).status == 200
    await client.patch(url, json={"title": "Two"})
    changed = await client.get(url, headers={"If-None-Match": tag})
    assert (changed.status, changed.data["title"]) == (200, "Two")
    assert etag(changed) != tag
    # for what changes a row it is a guard: not if it is there, or not if it is in this version
    for method in ("PUT", "PATCH", "DELETE"):
        body = {} if method == "DELETE" else {"json": {"title": "Three"}}
        for sent in ("*", etag(changed), f"W/{etag(changed)}"):
            refused = await client.request(method, url, headers={"If-None-Match": sent}, **body)
            assert (refused.status, refused.error["code"]) == (412, "PRECONDITION_FAILED")
    assert (await client.get(url)).data["title"] == "Two"
    assert (await client.delete(url, headers={"If-None-Match": tag})).status == 204


async def test_if_match(client: Client) -> None:
    url, created = await made(client)
    tag = etag(created)
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("PATCH", url, {"json": {"title": "Lost"}}),
        ("PUT", url, {"json": {"title": "Lost"}}),
        ("POST", f"{url}/open", {}),
        ("POST", f"{url}/touch", {}),
        ("DELETE", url, {}),
        ("GET", url, {}),
        ("GET", f"{url}/look", {}),
    ]
    stale = ('"2-0000000000000000"', f"W/{tag}", '"1"', '"v1-0"', '""', f'W/{tag}, "7-0123456789abcdef"')
    for method, address, body in calls:
        for sent in stale:
            refused = await client.request(method, address, headers={"If-Match": sent}, **body)
            assert (refused.status, refused.error["code"]) == (412, "PRECONDITION_FAILED"), (method, sent)
            assert refused.error["fix"]
    assert etag(await client.get(url)) == tag
    for method, address, body in calls[:2]:
        sent = etag(await client.get(url))
        for header in (f'"x", {sent}', "*"):
            kept = await client.request(method, address, headers={"If-Match": header}, **body)
            assert kept.status == 200
        assert (await client.request(method, address, headers={"If-Match": sent}, **body)).status == 412
    for method, address, body in [*calls[2:4], calls[5], calls[6], calls[4]]:
        sent = etag(await client.get(url))
        assert (await client.request(method, address, headers={"If-Match": sent}, **body)).status < 300
    gone = await client.patch(url, json={"title": "Lost"}, headers={"If-Match": "*"})
    assert gone.status == 404


async def test_what_is_no_condition(client: Client) -> None:
    url, created = await made(client)
    for sent in ("1", "'1'", '"a" "b"', '"a', 'w/"a"', "*, *", "", "\x00", '"a"b', "*x"):
        for name in ("If-Match", "If-None-Match"):
            refused = await client.get(url, headers={name: sent})
            assert (refused.status, refused.error["details"][0]["path"]) == (400, name), sent
    many = ", ".join(['"x"'] * 101)
    assert (await client.get(url, headers={"If-Match": many})).status == 400
    # the checks that come without a condition come first: an unknown field is still that, a missing row is still missing
    refused = await client.patch(url, json={"no": 1}, headers={"If-Match": '"9-0000000000000000"'})
    assert refused.status == 400
    missing = f"{V2}/notes/not_{'0' * 32}"
    assert (await client.patch(missing, json={}, headers={"If-Match": etag(created)})).status == 404


async def test_a_version_may_be_required(client: Client) -> None:
    created = await client.post(f"{V2}/topics", json={"name": "Tools"})
    url = f"{V2}/topics/{created.data['id']}"
    for method, body in (("PATCH", {"json": {"name": "Toys"}}), ("DELETE", {})):
        for headers in ({}, {"If-None-Match": '"x"'}):
            refused = await client.request(method, url, headers=headers, **body)
            assert (refused.status, refused.error["code"]) == (428, "PRECONDITION_REQUIRED")
            assert "If-Match" in refused.error["fix"]
    changed = await client.patch(url, json={"name": "Toys"}, headers={"If-Match": etag(created)})
    assert (changed.status, changed.data["version"]) == (200, 2)
    assert (await client.delete(url, headers={"If-Match": etag(created)})).status == 412
    assert (await client.delete(url, headers={"If-Match": etag(changed)})).status == 204
    missing = await client.delete(url)
    assert missing.status == 428, "it tells nothing about the row"


async def test_rows_that_count_nothing_are_in_no_version(client: Client) -> None:
    created = await client.post(f"{V2}/plains", json={"name": "One"})
    url = f"{V2}/plains/{created.data['id']}"
    assert "etag" not in created.headers
    assert (await client.get(url, headers={"If-None-Match": '"1-0"'})).status == 200
    assert (await client.patch(url, json={"name": "Two"}, headers={"If-Match": '"1-0000000000000000"'})).status == 412
    assert (await client.patch(url, json={"name": "Two"}, headers={"If-Match": "*"})).status == 200
    assert (await client.get(f"{V2}/plains", headers={"If-Match": '"1-0000000000000000"'})).status == 412
    assert (await client.post(f"{V2}/plains", json={"name": "x"}, headers={"If-Match": '"x"'})).status == 412
    assert (await client.post(f"{V2}/plains", json={"name": "x"}, headers={"If-None-Match": "*"})).status == 201


async def test_of_two_changes_at_once_one_wins(client: Client) -> None:
    for _ in range(5):
        url, created = await made(client)
        headers = {"If-Match": etag(created)}
        answers = await asyncio.gather(
            *(client.patch(url, json={"title": f"Number {n}"}, headers=headers) for n in range(8)),
            client.put(url, json={"title": "Number 8"}, headers=headers),
            client.post(f"{url}/open", headers=headers),
        )
        assert sorted(answer.status for answer in answers) == [200, *[412] * 9]
        (winner,) = [answer for answer in answers if answer.status == 200]
        now = await client.get(url)
        assert (now.data, etag(now), now.data["version"]) == (winner.data, etag(winner), 2)


async def test_the_lists_of_a_row_count_too(client: Client) -> None:
    topic = (await client.post(f"{V2}/topics", json={"name": "Tools"})).data["id"]
    url, _ = await made(client, lines=[{"text": "a"}])
    for version, json in enumerate(({"lines": [{"text": "b"}]}, {"topicIds": [topic]}, {"lines": []}), start=2):
        changed = await client.patch(url, json=json)
        assert (changed.status, changed.data["version"]) == (200, version)
    nothing = await client.patch(url, json={})
    assert (nothing.data["version"], etag(nothing)) == (4, etag(changed))
    plain = await client.post(f"{V2}/plains", json={"name": "One"})
    parts = await client.patch(f"{V2}/plains/{plain.data['id']}", json={"parts": [{"name": "a"}]})
    assert [part["name"] for part in parts.data["parts"]] == ["a"]


async def test_every_way_of_the_data_client_counts(client: Client) -> None:
    url, _ = await made(client)
    note = url.rpartition("/")[2]
    topic = (await client.post(f"{V2}/topics", json={"name": "Tools"})).data["id"]
    async with client.app.data() as db:
        notes, topics = db.table(Note), db.table(Topic)
        assert (await notes.update(note, {"title": "Two"})).version == 2
        assert (await notes.update(note, {"length": {"increment": 2}})).version == 3
        assert await notes.update_many({"title": "Two"}, {"title": "Three"}) == 1
        assert (await notes.get(note)).version == 4
        assert (await notes.update(note, {"lines": {"create": {"text": "a"}}})).version == 5
        assert (await notes.update(note, {"lines": {"set": []}})).version == 6
        assert (await notes.update(note, {"topics": {"connect": topic}})).version == 7
        assert (await topics.upsert({"name": "Tools"}, create={}, update={"name": "Toys"})).version == 2
        assert (await topics.upsert({"name": "New"}, create={}, update={"name": "x"})).version == 1
        assert (await topics.upsert({"name": "New"}, create={}, update={})).version == 1
        (new,) = await notes.create_many([{"title": "bulk"}], returning=True)
        assert new.version == 1
        for write in (
            lambda: notes.create({"title": "x", "version": 7}),
            lambda: notes.update(note, {"version": 7}),
            lambda: notes.update(note, {"version": {"increment": 7}}),
            lambda: notes.create_many([{"title": "x", "version": 7}]),
            lambda: notes.update_many({}, {"version": 7}),
        ):
            with pytest.raises(TypeError, match="is incremented with each change"):
                await write()
    assert (await client.get(url)).data["version"] == 7


class Region(Resource, prefix="reg"):
    name: str = field(default="")

    read = Read(allow=public)
    create = Create(allow=public)
    delete = Delete(allow=public)


class Town(Resource, prefix="tow"):
    region: One[Region] = one(on_delete="cascade")

    read = Read(allow=public)
    create = Create(allow=public)


class Trip(Resource, prefix="tri"):
    town: One[Town] | None = one(on_delete="set_null")
    version: int = field(auto="version")

    read = Read(allow=public)
    create = Create(allow=public)


async def test_a_reference_that_a_cascade_clears_counts(make_settings: Callable[..., Settings]) -> None:
    """The database alone would clear it, and count nothing: a client would take its copy for the present one."""
    app = Sternpost(
        Contract("trips", resources=[Region, Town, Trip]), settings=make_settings(), write_log=lambda line: None
    )
    async with Client(app) as client:
        region = (await client.post(f"{V1}/regions", json={})).data["id"]
        town = (await client.post(f"{V1}/towns", json={"regionId": region})).data["id"]
        trip = await client.post(f"{V1}/trips", json={"townId": town})
        assert (await client.delete(f"{V1}/regions/{region}")).status == 204
        now = await client.get(f"{V1}/trips/{trip.data['id']}", headers={"if-none-match": etag(trip)})
        assert (now.status, now.data["townId"], now.data["version"]) == (200, None, 2)


async def test_a_client_cannot_set_it(client: Client) -> None:
    refused = await client.post(f"{V2}/notes", json={"title": "x", "version": 7})
    assert (refused.status, refused.error["details"][0]["code"]) == (400, "read_only")
    url, _ = await made(client)
    assert (await client.patch(url, json={"version": 7})).status == 400


async def test_in_a_batch(client: Client) -> None:
    url, created = await made(client)
    note = url.rpartition("/")[2]
    step = {"operation": "notes.update", "id": note, "body": {"title": "Two"}, "ifMatch": etag(created)}
    done = await client.post(f"{V2}/$batch", json={"operations": [step, {"operation": "notes.read", "id": note}]})
    assert done.status == 200
    assert [result["etag"] for result in done.data] == [etag(await client.get(url))] * 2
    stale = await client.post(
        f"{V2}/$batch", json={"operations": [{"operation": "notes.create", "body": {"title": "x"}}, step]}
    )
    assert (stale.status, stale.error["code"]) == (412, "PRECONDITION_FAILED")
    assert stale.error["details"][0]["path"] == "operations.1"
    assert (await client.get(f"{V2}/notes")).json()["meta"]["totalCount"] == 1
    malformed = await client.post(f"{V2}/$batch", json={"operations": [{**step, "ifMatch": "1"}]})
    assert malformed.status == 400
    topic = (await client.post(f"{V2}/topics", json={"name": "Tools"})).data["id"]
    without = {"operation": "topics.delete", "id": topic}
    assert (await client.post(f"{V2}/$batch", json={"operations": [without]})).status == 428


async def test_web_pages_see_the_tag(client: Client) -> None:
    url, _ = await made(client)
    answer = await client.get(url, headers={"Origin": "https://app.example.com"})
    assert "etag" in answer.headers["access-control-expose-headers"].split(", ")
    headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "PATCH"}
    asked = await client.request(
        "OPTIONS", url, headers={**headers, "Access-Control-Request-Headers": "if-match, if-none-match"}
    )
    assert asked.status == 200


async def test_it_is_described(client: Client) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    read, update = paths[f"{V2}/notes/{{id}}"]["get"], paths[f"{V2}/topics/{{id}}"]["patch"]
    assert read["responses"]["304"]["headers"]["ETag"]
    assert read["responses"]["200"]["headers"]["ETag"]
    assert {"412", "428"} <= set(update["responses"])
    headers = {(p["name"], p["required"]) for p in read["parameters"] + update["parameters"] if p["in"] == "header"}
    assert headers == {("If-None-Match", False), ("If-Match", True), ("Idempotency-Key", False)}
    plain = paths[f"{V2}/plains/{{id}}"]
    named = {p["name"] for operation in plain.values() for p in operation["parameters"] if p["in"] == "header"}
    assert named == {"Idempotency-Key"}

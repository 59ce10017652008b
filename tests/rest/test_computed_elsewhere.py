"""Fields that are computed when their row is read, with tenants, policies over lists, wide rows, older versions and nested values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal
from uuid import UUID

import orjson
import pytest

from sternpost import (
    Browse,
    Changed,
    Context,
    Contract,
    Create,
    Many,
    One,
    Payload,
    Read,
    Resource,
    Settings,
    Sternpost,
    Update,
    Version,
    authenticated,
    computed,
    computes,
    count_of,
    field,
    in_python,
    latest_of,
    one,
    provide,
    public,
    this,
)
from sternpost.compile.compiler import compile_contract
from sternpost.testing import Client


class Note(Payload):
    text: str = field(max_length=100)
    parts: list[int]


class Base(Resource, abstract=True):
    title: str = field(max_length=2000)
    org: str
    shout: str = computed(in_python("title"), max_length=2000)


class Team(Base, prefix="tea", tenant="org"):
    rank: int | None
    members: Many[Member]
    docs: Many[Doc]
    doc_count: int = computed(count_of("docs"))
    every_doc: int = computed(count_of("docs", all=True))
    last_title: str | None = computed(latest_of("docs", "title", by="made"))
    last_state: Literal["a", "b"] | None = computed(latest_of("docs", "state", by="made"))
    last_tags: list[str] | None = computed(latest_of("docs", "tags", by="made"))
    last_key: UUID | None = computed(latest_of("docs", "key", by="made"))
    notes: list[Note] = computed(in_python("rank"))

    browse = Browse(allow=authenticated, sort=["title", "rank"], export=True)
    read = Read(allow=authenticated)
    create = Create(allow=authenticated)
    update = Update(allow=authenticated)


class Member(Resource, prefix="mem", owner="who", tenant="org"):
    org: str
    team: One[Team]
    who: str

    read = Read(allow=this.is_owner)
    create = Create(allow=authenticated)


class Doc(Base, prefix="doc", tenant="org"):
    team: One[Team] = one(link=public)
    made: date | None
    state: Literal["a", "b"] = field(default="a")
    tags: list[str] = field(default=[])
    key: UUID | None

    browse = Browse(allow=this.team.members.any(this.is_owner), sort=["title"])
    create = Create(allow=public)


@dataclass
class Voice:
    """What makes text loud."""

    end: str


@computes(Base, "shout")
async def shout(ctx: Context, rows: Sequence[Base], *, voice: Voice) -> list[str]:
    return [row.title.upper()[:1999] + voice.end for row in rows]


@computes(Team, "notes")
async def notes(ctx: Context, rows: Sequence[Team]) -> list[list[Note]]:
    return [[Note(text=str(row.rank), parts=[row.rank or 0])] for row in rows]


contract = Contract(
    "teams",
    api_version="v2",
    resources=[Team, Member, Doc],
    older=[
        Version(
            "v1",
            changes=[
                Changed(Team, "doc_count", was={"type": "string"}, up=int, down=str),
                Changed(Team, "last_state", was={"choices": ["a"]}, shown={"b": "a"}),
            ],
        )
    ],
)


@pytest.fixture
async def client(make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    voice = provide(Voice, lambda: Voice("!"))
    app = Sternpost(contract, services=[shout, notes], provide=[voice], settings=make_settings())
    async with Client(app) as client:
        yield client


async def made(client: Client, path: str, token: str, **values: Any) -> str:
    answer = await client.post(f"/api/v2/{path}", json=values, token=token)
    assert answer.status == 201, answer.content
    return answer.data["id"]


async def test_tenants_policies_and_pages(client: Client) -> None:
    ann, bob = (client.token(name, tenant="one") for name in ("ann", "bob"))
    eve = client.token("ann", tenant="two")
    teams = [await made(client, "teams", ann, title=f"t{n}", rank=None if n % 3 == 0 else n) for n in range(7)]
    await made(client, "members", ann, teamId=teams[0], who="ann")
    other = await made(client, "teams", eve, title="other")
    await made(client, "members", eve, teamId=other, who="ann")
    for n in range(4):
        key = f"00000000-0000-0000-0000-00000000000{n}"
        made_on = None if n == 3 else f"2026-01-0{n + 1}"
        values = {"title": f"d{n}", "made": made_on, "tags": [str(n)], "key": key, "state": "ab"[n % 2]}
        await made(client, "docs", ann, teamId=teams[0], **values)
    seen = (await client.get(f"/api/v2/teams/{teams[0]}", token=ann)).data
    assert (seen["docCount"], seen["everyDoc"], seen["lastTitle"]) == (4, 4, "d2")
    assert (seen["lastTags"], seen["lastKey"], seen["shout"]) == (["2"], "00000000-0000-0000-0000-000000000002", "T0!")
    assert seen["notes"] == [{"text": "None", "parts": [0]}]
    hidden = (await client.get(f"/api/v2/teams/{teams[0]}", token=bob)).data
    assert (hidden["docCount"], hidden["everyDoc"], hidden["lastTitle"]) == (0, 4, None)
    assert [row["everyDoc"] for row in (await client.get("/api/v2/teams", token=eve)).data] == [0]
    changed = await client.patch(f"/api/v2/teams/{teams[0]}", json={"rank": 9}, token=ann)
    assert (changed.data["docCount"], changed.data["notes"][0]["text"]) == (4, "9")
    await client.patch(f"/api/v2/teams/{teams[0]}", json={"rank": None}, token=ann)
    for sort in ("rank", "-rank", "rank,-title"):
        found: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            query = f"sort={sort}&cursor={cursor}&pageSize=2&include=docs&docs.limit=2&docs.sort=-title"
            page = orjson.loads((await client.get(f"/api/v2/teams?{query}", token=ann)).content)
            found += page["data"]
            cursor = page["meta"]["nextCursor"]
        assert sorted(row["title"] for row in found) == [f"t{n}" for n in range(7)]
        assert {row["title"]: (row["docCount"], row["shout"]) for row in found} == {
            f"t{n}": (4 if n == 0 else 0, f"T{n}!") for n in range(7)
        }
        (whole,) = [row["docs"] for row in found if row["docs"]]
        assert [(row["title"], row["shout"]) for row in whole] == [("d3", "D3!"), ("d2", "D2!")]
    below = await client.get("/api/v2/docs?include=team&fields=team.docCount,team.notes,title&sort=title", token=ann)
    assert below.data[0] == {"title": "d0", "team": {"docCount": 4, "notes": [{"text": "None", "parts": [0]}]}}
    older = (await client.get(f"/api/v1/teams/{teams[0]}", token=ann)).data
    assert (older["docCount"], older["lastState"]) == ("4", "a")
    await made(client, "docs", ann, teamId=teams[0], title="b", made="2027-01-01", state="b")
    assert (await client.get(f"/api/v1/teams/{teams[0]}", token=ann)).data["lastState"] == "a"
    csv = await client.get("/api/v1/teams?fields=docCount,title&sort=title", headers={"accept": "text/csv"}, token=ann)
    assert csv.content.split()[:2] == [b"title,docCount", b"t0,5"]
    async with client.app.data(tenant="one") as db:
        rows = await db.table(Team).find(fields=["every_doc", "last_tags", "notes", "shout"], order=["title"], limit=1)
        assert (rows[0].every_doc, rows[0].last_tags, rows[0].notes[0].parts) == (5, [], [0])
        into = await db.table(Team).first(order=["title"], into=Loud)
        assert into == Loud("t0", 5, "T0!")
        with pytest.raises(TypeError, match="computed when a row is read"):
            await db.table(Team).aggregate(by=["doc_count"])
    async with client.app.data(tenants="all") as db:
        assert sum(row.every_doc for row in await db.table(Team).find(fields=["every_doc"])) == 5


@dataclass
class Loud:
    title: str
    doc_count: int
    shout: str


async def test_wide_values_count_as_part_of_the_answer(make_settings: Callable[..., Settings]) -> None:
    settings = make_settings(answer_bytes_max=100_000)
    voice = provide(Voice, lambda: Voice("!"))
    async with Client(Sternpost(contract, services=[shout, notes], provide=[voice], settings=settings)) as client:
        ann = client.token("ann", tenant="one")
        for _ in range(20):
            team = await made(client, "teams", ann, title="\N{SNOWMAN}" * 600)
            await made(client, "members", ann, teamId=team, who="ann")
            await made(client, "docs", ann, teamId=team, title="\N{SNOWMAN}" * 1900, made="2026-01-01")
        for fields in ("lastTitle", "lastTitle,title", "docs.team.lastTitle,docs.team.shout"):
            refused = await client.get(f"/api/v2/teams?fields={fields}&include=docs", token=ann)
            assert refused.error["details"][0]["code"] == "answer_too_large", fields
        allowed = await client.get("/api/v2/teams?fields=shout", token=ann)
        assert allowed.status == 200
        assert (await client.get("/api/v2/teams?fields=shout,title,docs.title", token=ann)).status == 400


def test_the_schema_knows_nothing_of_it() -> None:
    class Team(Resource, prefix="tea"):
        title: str
        docs: Many[Doc]

        read = Read(allow=public)

    class Doc(Resource, prefix="doc"):
        team: One[Team]

        read = Read(allow=public)

    plain = compile_contract(Contract("teams", resources=[Team, Doc])).plan

    class Team(Resource, prefix="tea"):
        title: str
        docs: Many[Doc]
        count: int = computed(count_of("docs"))

        read = Read(allow=public)

    class Doc(Resource, prefix="doc"):
        team: One[Team]

        read = Read(allow=public)

    counting = compile_contract(Contract("teams", resources=[Team, Doc])).plan
    assert plain.storage_fingerprint == counting.storage_fingerprint
    assert plain.fingerprint != counting.fingerprint

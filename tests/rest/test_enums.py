"""Enums whose values have labels and an order: sorted, compared and described, on each database."""

from __future__ import annotations

import itertools
import random
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from typing import Any, Literal

import asyncpg
import pytest

from sternpost import (
    Browse,
    Changed,
    Contract,
    Create,
    Database,
    Many,
    One,
    Payload,
    Read,
    Resource,
    Settings,
    Sternpost,
    Table,
    Version,
    check,
    field,
    public,
    scope,
    this,
)
from sternpost.derive.emit import dialects
from sternpost.plan.query import Select, ordered
from sternpost.storage.sql.schema import Schema
from sternpost.storage.sql.statements import Statements
from sternpost.storage.sqlite.dialect import SqliteDialect
from sternpost.testing import Client

TRIAGE = ("low", "mid", "high")
LABELS = {"low": "Can wait", "mid": "It's next: 100%", "high": "Now"}
SEVERITY = ("z minor", "b's", 'a"x')
PATH = "/api/v2/tickets"


class Severity(StrEnum):
    minor = "z minor"
    usual = "b's"
    severe = 'a"x'


class Note(Payload):
    triage: Literal["low", "mid", "high"] = field(labels=LABELS, ordered=True, default="low")


class Team(Resource, prefix="tea"):
    name: str
    level: Literal["second", "first"] = field(ordered=True, default="second", filter=True)
    tickets: Many[Ticket]

    browse = Browse(sort=["level"], allow=public)
    create = Create(allow=public)


class Ticket(
    Resource,
    prefix="tic",
    checks=[check((this.triage < "high") | ~this.severity.is_null, name="severe", message="Say how severe it is")],
):
    number: int
    triage: Literal["low", "mid", "high"] = field(labels=LABELS, ordered=True, filter=True)
    severity: Severity | None = field(
        ordered=True, filter=True, labels={Severity.minor: "1", Severity.usual: "2", Severity.severe: "3"}
    )
    plain: Literal["b", "a"] = field(default="b", filter=True)
    seen: list[Literal["low", "mid"]] = field(default=[], labels={"low": "Low", "mid": "Mid"})
    note: Note | None
    team: One[Team]

    browse = Browse(
        sort=["triage", "severity", "number", "plain"],
        default_sort=["-triage"],
        allow=this.triage.gte("mid") | ~this.severity.lt(Severity.severe) | scope("all"),
        filter=["team.level"],
        export=True,
    )
    read = Read(allow=public)
    create = Create(allow=public)


OLDER = Version("v1", [Changed(Ticket, "triage", was={"choices": ["high", "low"]}, shown={"mid": "low"})])
CONTRACT = Contract("tickets", resources=[Team, Ticket], api_version="v2", older=[OLDER])


@pytest.fixture
async def app(make_settings: Callable[..., Settings]) -> AsyncIterator[Sternpost]:
    app = Sternpost(CONTRACT, settings=make_settings())
    app._write_log = lambda line: None
    async with Client(app):
        yield app


async def fill(app: Sternpost) -> list[dict[str, Any]]:
    """Every triage with every severity, twice, in no order."""
    chosen = [*itertools.product(TRIAGE, (*SEVERITY, None))] * 2
    random.Random(7).shuffle(chosen)
    chosen = [(triage, severity) for triage, severity in chosen if triage != "high" or severity is not None]
    rows: list[dict[str, Any]] = []
    async with app.data(Database) as db:
        teams = [await Table(db, Team).create({"name": level, "level": level}) for level in ("first", "second")]
        for number, (triage, severity) in enumerate(chosen):
            rows.append({"number": number, "triage": triage, "severity": severity, "level": teams[number % 2].level})
            data = {"number": number, "triage": triage, "severity": severity, "plain": "ab"[number % 2]}
            await Table(db, Ticket).create({**data, "team": {"connect": teams[number % 2]}})
    return rows


def key(name: str, row: dict[str, Any]) -> int:
    """What a row is sorted by; null is greater than every value."""
    ranks = {"triage": TRIAGE, "severity": (*SEVERITY, None)}.get(name)
    return int(row[name] if ranks is None else ranks.index(row[name]))


def in_order(rows: list[dict[str, Any]], sort: str) -> list[int]:
    found = sorted(rows, key=lambda row: row["number"], reverse=sort.split(",")[-1].startswith("-"))
    for name in reversed(sort.split(",")):
        plain = name.removeprefix("-")
        found.sort(key=lambda row: key(plain, row), reverse=name.startswith("-"))
    return [row["number"] for row in found]


async def asked(app: Sternpost, query: str, *, path: str = PATH) -> list[Any]:
    client = Client(app)
    answer = await client.request("GET", f"{path}?{query}", token=client.token("ada", "all"))
    assert answer.status == 200, answer.content
    return answer.json()["data"]


async def walked(app: Sternpost, query: str) -> list[int]:
    """The numbers of all rows, page by page with cursors."""
    client, found, cursor = Client(app), list[int](), ""
    while cursor is not None:
        answer = await client.request("GET", f"{PATH}?{query}&cursor={cursor}", token=client.token("ada", "all"))
        assert answer.status == 200, answer.content
        found += [row["number"] for row in answer.json()["data"]]
        cursor = answer.json()["meta"]["nextCursor"]
    return found


SORTS = ("triage", "-triage", "severity", "-severity", "triage,-severity", "-severity,triage,number", "number,triage")


async def test_lists_are_sorted_by_rank_with_cursors_and_pages(app: Sternpost) -> None:
    rows = await fill(app)
    for sort in SORTS:
        expected = in_order(rows, sort)
        assert await walked(app, f"sort={sort}&pageSize=3") == expected, sort
        pages = [await asked(app, f"sort={sort}&pageSize=8&page={page}&fields=number") for page in (1, 2, 3)]
        assert [row["number"] for page in pages for row in page] == expected, sort
    assert [row["number"] for row in await asked(app, "pageSize=100")] == in_order(rows, "-triage")
    client = Client(app)
    export = await client.request(
        "GET", f"{PATH}?sort=severity,-triage", token=client.token("a", "all"), headers={"accept": "text/csv"}
    )
    told = [line.split(",")[1] for line in export.content.decode().splitlines()[1:]]
    assert told == [str(number) for number in in_order(rows, "severity,-triage")]
    (first, *_) = await asked(
        app, "include=tickets&tickets.sort=-severity,triage&tickets.limit=4", path="/api/v2/teams"
    )
    own = [row for row in rows if row["level"] == first["level"]]
    assert [row["number"] for row in first["tickets"]] == in_order(own, "-severity,triage")[:4]
    teams = await asked(app, "sort=-level", path="/api/v2/teams")
    assert [team["level"] for team in teams] == ["first", "second"]


async def test_filters_policies_and_checks_compare_ranks(app: Sternpost) -> None:
    rows = await fill(app)
    tests: dict[str, Callable[[int, int], bool]] = {
        "gt": lambda a, b: a > b,
        "gte": lambda a, b: a >= b,
        "lt": lambda a, b: a < b,
        "lte": lambda a, b: a <= b,
    }
    for (operator, test), value in itertools.product(tests.items(), TRIAGE):
        found = {row["number"] for row in await asked(app, f"triage[{operator}]={value}&pageSize=100")}
        assert found == {r["number"] for r in rows if test(key("triage", r), TRIAGE.index(value))}, (operator, value)
    found = {row["number"] for row in await asked(app, "severity[gt]=z%20minor&pageSize=100")}
    assert found == {row["number"] for row in rows if row["severity"] in SEVERITY[1:]}
    found = {row["number"] for row in await asked(app, "team.level[gte]=first&pageSize=100")}
    assert found == {row["number"] for row in rows if row["level"] == "first"}
    client = Client(app)
    for name, operator in (("plain", "gt"), ("triage", "contains")):
        wrong = await client.request("GET", f"{PATH}?{name}[{operator}]=b")
        assert wrong.status == 400
    wrong = await client.request("GET", f"{PATH}?triage[gte]=highest")
    assert (wrong.status, wrong.error["details"][0]["path"]) == (400, "triage[gte]")
    without = await client.request("GET", f"{PATH}?pageSize=100")
    assert {row["number"] for row in without.json()["data"]} == {
        row["number"] for row in rows if row["triage"] != "low" or row["severity"] in (None, SEVERITY[2])
    }
    team = (await asked(app, "", path="/api/v2/teams"))[0]["id"]
    body = {"number": 1, "triage": "high", "severity": None, "note": None, "teamId": team}
    assert (await client.post(PATH, json=body)).status == 422
    assert (await client.post(PATH, json={**body, "severity": "b's"})).status == 201


async def test_a_cursor_of_another_order_is_refused(app: Sternpost) -> None:
    await fill(app)
    client = Client(app)
    first = await client.request("GET", f"{PATH}?sort=triage&pageSize=2&cursor=")
    cursor = first.json()["meta"]["nextCursor"]
    assert (await client.request("GET", f"{PATH}?sort=-triage&pageSize=2&cursor={cursor}")).status == 400


async def test_the_data_client_knows_the_order(app: Sternpost) -> None:
    rows = await fill(app)
    async with app.data(Database) as db:
        tickets = Table(db, Ticket)
        for sort in SORTS:
            expected = in_order(rows, sort)
            order = sort.split(",")
            assert [row.number for row in await tickets.find(order=order)] == expected, sort
            found = await tickets.find(order=order, limit=5)
            while len(found) < len(rows):
                found += await tickets.find(order=order, limit=5, after=found[-1])
            assert [row.number for row in found] == expected, sort
        firsts = await tickets.find(order=[{"by": "severity", "nulls": "first"}], limit=1)
        assert firsts[0].severity is None
        by_team = await tickets.find(order=["-team.level", "number"])
        assert [row.number for row in by_team] == sorted(
            range(len(rows)), key=lambda n: (rows[n]["level"] != "first", n)
        )
        assert await tickets.count({"triage": {"gt": "low", "lte": "mid"}}) == sum(r["triage"] == "mid" for r in rows)
        assert await tickets.count({"severity": {"lt": Severity.minor}}) == 0
        assert await tickets.count({"NOT": {"severity": {"gte": Severity.usual}}}) == sum(
            row["severity"] in (SEVERITY[0], None) for row in rows
        )
        distinct = await tickets.find(order=["-triage", "severity"], distinct=["triage"])
        assert [(row.triage, row.severity) for row in distinct] == [(t, "z minor") for t in reversed(TRIAGE)]
        groups = await tickets.aggregate(
            by=["triage"],
            min=["severity"],
            max=["severity", "triage"],
            having={"max": {"triage": {"gt": "low"}}},
            order=["-triage"],
        )
        assert [(g.by["triage"], g.min["severity"], g.max["severity"], g.max["triage"]) for g in groups] == [
            (triage, "z minor", 'a"x', triage) for triage in ("high", "mid")
        ]
        assert [group.by["triage"] for group in await tickets.aggregate(by=["triage"])] == list(TRIAGE)


async def test_an_index_serves_each_page(app: Sternpost, database: str) -> None:
    """What is behind a position is read from the index of ranks, in parts that are each one range of it."""
    query = Select("Ticket", ("id",), order=(ordered("triage", False),), limit=0, after=(False, False))
    statements = Statements(app.plan, dialects()[database])
    text = statements.listing(query).page.text
    if database == "sqlite":
        async with app.data(Database) as db:
            plan = str(await db.sql(f"EXPLAIN QUERY PLAN {text.replace('?', '1')}"))
        assert "ix_tickets_triage_rank (<expr>=? AND id>?)" in plan, (plan, text)
        assert "ix_tickets_triage_rank (<expr>>?)" in plan, (plan, text)
        return
    connection = await asyncpg.connect(app.settings.database_url.get_secret_value())
    try:
        await connection.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        for name, value in (("$3", "5"), ("$2", f"'{'0' * 32}'"), ("$1", "1")):
            text = text.replace(name, value)
        plan = str(await connection.fetch(f"EXPLAIN {text}"))
    finally:
        await connection.close()
    assert plan.count("using ix_tickets_triage_rank") == 2, (plan, text)
    assert plan.count("Index Cond") == 2, plan


def test_only_what_sorts_by_rank_has_an_index_for_it() -> None:
    app = Sternpost(CONTRACT, settings=Settings(environment="test"))
    indexes = Schema(app.plan, SqliteDialect()).describe()["tickets"]["indexes"]
    assert sorted(indexes) == [
        "ix_tickets_number",
        "ix_tickets_plain",
        "ix_tickets_severity",
        "ix_tickets_severity_rank",
        "ix_tickets_team_id",
        "ix_tickets_triage",
        "ix_tickets_triage_rank",
    ]


async def test_labels_are_described(app: Sternpost) -> None:
    document = (await Client(app).request("GET", "/openapi.json")).json()
    properties = document["components"]["schemas"]["Ticket"]["properties"]
    told = [{"const": value, "title": label} for value, label in LABELS.items()]
    assert properties["triage"] == {"type": "string", "enum": list(TRIAGE), "oneOf": told}
    assert properties["severity"]["anyOf"][0]["oneOf"][0] == {"const": "z minor", "title": "1"}
    assert properties["severity"]["anyOf"][1] == {"type": "null"}
    assert properties["seen"]["items"]["oneOf"][1] == {"const": "mid", "title": "Mid"}
    assert document["components"]["schemas"]["Note"]["properties"]["triage"]["oneOf"] == told
    parameters = {each["name"]: each for each in document["paths"][PATH]["get"]["parameters"]}
    assert parameters["triage[gte]"]["schema"] == {"type": "string", "enum": list(TRIAGE)}
    assert parameters["triage[gte]"]["description"] == (
        "triage is at least this value (low: Can wait; mid: It's next: 100%; high: Now)"
    )
    assert "plain[gte]" not in parameters


async def test_an_older_version_has_the_order_and_labels_of_what_it_knows(app: Sternpost) -> None:
    rows = await fill(app)
    path = "/api/v1/tickets"
    found = await asked(app, "sort=-triage,number&pageSize=100", path=path)
    assert [row["number"] for row in found] == in_order(rows, "-triage,number")
    assert {row["triage"] for row in found} == {"low", "high"}
    above = await asked(app, "triage[gt]=low&pageSize=100", path=path)
    assert {row["number"] for row in above} == {row["number"] for row in rows if row["triage"] != "low"}
    document = (await Client(app).request("GET", "/api/v1/openapi.json")).json()
    told = document["components"]["schemas"]["Ticket"]["properties"]["triage"]
    assert told["enum"] == ["high", "low"]
    assert told["oneOf"] == [{"const": value, "title": LABELS[value]} for value in ("low", "high")]

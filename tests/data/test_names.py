"""Names of ours never meet names of the author's: a contract is named with every word that our statements use."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sternpost import Settings, Sternpost
from sternpost.data.database import Database
from sternpost.ports.audit import AuditQuery
from sternpost.testing import Client

V1 = "/api/v1"
TEXTS = ("slot", "our", "c0", "value_1", "name", "was", "actor", "unnest_1", "sp_1")
NUMBERS = (
    *(
        "keys",
        "target",
        "position",
        "at",
        "ids",
        "offset",
        "rank",
        "total",
        "part",
        "whole",
        "double",
        "twice",
        "slot_0",
    ),
    *("slot_1", "position_0", "position_1", "our_key", "our_keys", "our_parent", "our_at", "id_1", "limit_1", "limit"),
    *("param_1", "c1", "c2", "c3", "r1", "r2", "rr1", "rr2", "rest", "ranked", "part0", "part1", "value", "value_key"),
    *(
        "number",
        "row_number",
        "anon_1",
        "coalesce_1",
        "becomes",
        "request_id",
        "resource",
        "row_id",
        "operation",
        "action",
    ),
    *(
        "before",
        "after",
        "json_each",
        "excluded",
        "current",
        "new",
        "old",
        "item",
        "digest",
        "values",
        "names",
        "subject_1",
    ),
    *("ordinality", "count", "count_1", "sum_1", "min", "max", "sum", "avg", "by", "key_1", "tenant_1", "target_1"),
)
"""Parameters, labels and aliases of statements (now, and such as SQLAlchemy makes up), and words of triggers."""

AUDITED = (
    *("slot", "name", "was", "actor", "becomes", "at", "request_id", "resource", "row_id", "operation", "action"),
    *("before", "after", "old", "new", "key_1", "value", "item", "masked", "remote", "audit"),
)
"""Those of a smaller resource: SQLite's triggers make an object of more than 63 members in another way."""

FILTERED = ("slot", "c0", "value", "position_0", "limit_1", "r1", "our_key")
SORTED = ("key", "slot", "c0", "c1", "position_0", "rank", "r1", "rest", "value", "limit_1", "excluded", "anon_1")
GROUPED = ("r1", "c0", "value", "anon_1", "count_1")

TABLES = (
    ("json_each", "rr2", "param_1"),
    ("r1", "anon_1", "c0"),
    ("ranked_1", "part0", "part1"),
    ("ranked", "values", "new"),
    ("rest", "old", "link"),
    ("rows", "r2", "pairs"),
)
"""For each resource its table, that of a list it owns, and that of its links: names that statements give to tables."""

_HEAD = """
from __future__ import annotations
from typing import Literal
from sternpost import (Browse, Contract, Create, Delete, Many, One, Owned, Read, Replace, Resource, Restore, Transition,
    Update, field, many, one, public, this)
"""


def _fields(names: tuple[str, ...] = (*TEXTS, *NUMBERS)) -> list[str]:
    return [
        f"    {name}: {'str' if name in TEXTS else 'int'} | None = "
        f"field(default=None{', filter=True' if name in FILTERED else ''})"
        for name in names
    ]


def _classes(number: int, tables: tuple[str, str, str]) -> list[str]:
    """A resource with what it owns and what it is linked with; every other one has all that a class line can declare."""
    table, owned, links = tables
    every = number % 2 == 0
    more = ', tenant="tenant", soft_delete=True' if every else ""
    audit = ", audit=True" if every else ""
    tenant = ["    tenant: str"] if every else []
    extra = ["    restore = Restore(allow=public)"] if every else []
    extra += ['    version: int = field(auto="version")'] if every else []
    letter = chr(97 + number)
    operations = ["read = Read", "create = Create", "update = Update", "replace = Replace", "delete = Delete"]
    return [
        f'class Setting{number}(Resource, prefix="set{letter}", owner="subject", table="{table}"{more}{audit}):',
        *tenant,
        "    subject: str | None = None",
        "    key: str = field(unique=True, filter=True)",
        '    state: Literal["on", "off"] = field(default="on", write="never")',
        *_fields(),
        f'    parent: One[Setting{number}] | None = one(on_delete="set_null")',
        f'    kin: Many[Setting{number}] = many(by="parent", max_length=3)',
        f"    lines: Owned[Line{number}]",
        f'    marks: Many[Mark{number}] = many(through="{links}", write="always")',
        f'    browse = Browse(sort={list(SORTED)}, allow=this.is_owner | this.state.eq("on"))',
        *(f"    {operation}(allow=public)" for operation in operations),
        *extra,
        '    turn = Transition("state", source="on", target="off", allow=public)',
        f'class Line{number}(Resource, prefix="lin{letter}", table="{owned}"):',
        f"    setting: One[Setting{number}]",
        *_fields(),
        f'class Mark{number}(Resource, prefix="mar{letter}"{more}, audit=True):',
        *tenant,
        *_fields(AUDITED),
        f'    settings: Many[Setting{number}] = many(through="{links}")',
        "    browse = Browse(allow=public)",
        "    create = Create(allow=public)",
    ]


def _contract(number: int, tables: tuple[str, str, str]) -> Any:
    names = ", ".join(f"{kind}{number}" for kind in ("Setting", "Line", "Mark"))
    lines = [_HEAD, *_classes(number, tables), f'contract = Contract("names", resources=[{names}])']
    module = type(sys)(f"contract_of_names_{number}")
    sys.modules[module.__name__] = module
    exec(compile("\n".join(lines), f"{module.__name__}.py", "exec"), vars(module))
    return module


MODULES = [_contract(number, tables) for number, tables in enumerate(TABLES)]


@pytest.fixture(
    params=[pytest.param(at, id=names[0], marks=[pytest.mark.slow] * (at > 0)) for at, names in enumerate(TABLES)]
)
def number(request: pytest.FixtureRequest) -> int:
    """Which of the contracts a test is about."""
    return request.param


@pytest.fixture
async def client(number: int, make_settings: Callable[..., Settings]) -> AsyncIterator[Client]:
    app = Sternpost(MODULES[number].contract, settings=make_settings(), write_log=lambda line: None)
    async with Client(app) as client:
        yield client


def public(name: str) -> str:
    """The name of a field in JSON."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def values(row: int) -> dict[str, Any]:
    """A different value for each field, and each row."""
    texts = {name: f"{name} of {row}" for name in TEXTS}
    return {**texts, **{name: 1000 * number + row for number, name in enumerate(NUMBERS)}}


def audited(row: int) -> dict[str, Any]:
    """The same for an audited resource."""
    return {name: f"{name} of {row}" if name in TEXTS else 100 * n + row for n, name in enumerate(AUDITED)}


def sent(given: dict[str, Any]) -> dict[str, Any]:
    return {public(name): value for name, value in given.items()}


@dataclass
class Service:
    """One of the resources over REST."""

    client: Client
    number: int

    def __post_init__(self) -> None:
        self.path = next(r.path for r in self.client.app.plan.resources if r.name == f"Setting{self.number}")
        self.marks = next(r.path for r in self.client.app.plan.resources if r.name == f"Mark{self.number}")
        self.whole = self.number % 2 == 0
        self.token = self.client.token("me", tenant="here") if self.whole else self.client.token("me")

    async def __call__(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.client.request(method, f"{V1}/{path}", json=body, token=self.token)
        assert answer.status == status, (method, path, answer.content)
        return answer.json() if answer.content else None

    async def made(self, row: int, **more: Any) -> dict[str, Any]:
        body = {**sent(values(row)), "key": f"key {row}", "subject": "me", **more}
        return (await self("POST", self.path, body, 201))["data"]

    async def walk(self, path: str) -> list[dict[str, Any]]:
        rows, cursor = [], ""
        while cursor is not None:
            page = await self("GET", f"{path}&pageSize=1&cursor={cursor}")
            rows += page["data"]
            cursor = page["meta"]["nextCursor"]
        return rows


def holds(row: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert {name: row[name] for name in wanted} == wanted


@pytest.mark.slow
async def test_over_rest(client: Client, number: int) -> None:
    ask = Service(client, number)
    marks = [(await ask("POST", ask.marks, sent(audited(row)), 201))["data"] for row in (1, 2)]
    mark_ids = [mark["id"] for mark in marks]
    first = await ask.made(1, lines=[sent(values(11)), sent(values(12))], markIds=mark_ids)
    holds(first, {**sent(values(1)), "key": "key 1", "subject": "me"})
    rows = [first, *[await ask.made(row, parentId=first["id"], markIds=mark_ids[:1]) for row in (2, 3, 4)]]
    one = f"{ask.path}/{first['id']}"
    read = (await ask("GET", f"{one}?include=marks,kin,parent&kin.limit=1&kin.sort=-key"))["data"]
    holds(read, {**sent(values(1)), "key": "key 1"})
    assert [line["limit"] for line in read["lines"]] == [values(11)["limit"], values(12)["limit"]]
    assert [mark["id"] for mark in read["marks"]] == mark_ids
    assert [kin["key"] for kin in read["kin"]] == ["key 4"]
    # changes: what is named is changed, and nothing else
    for name, value in {"key": "other", "slot": "x", "position0": 7, "value": 8, "limit": 9, "ourKey": 10}.items():
        changed = (await ask("PATCH", one, {name: value}))["data"]
        assert changed[name] == value
        assert changed["id"] == first["id"]
    holds(changed, {"c1": values(1)["c1"], "at": values(1)["at"], "parentId": None})
    replaced = {**sent(values(5)), "key": "key 1", "subject": "me", "markIds": mark_ids, "lines": []}
    holds((await ask("PUT", one, replaced))["data"], {**sent(values(5)), "key": "key 1"})
    holds((await ask("PATCH", one, sent(values(1))))["data"], sent(values(1)))
    # lists
    listed = await ask("GET", f"{ask.path}?sort=key&include=marks,lines,kin&pageSize=50")
    assert [row["key"] for row in listed["data"]] == ["key 1", "key 2", "key 3", "key 4"]
    for name in ("key", *FILTERED):
        value = {**values(2), "key": "key 2"}[name]
        found = await ask("GET", f"{ask.path}?{public(name)}={value}&{public(name)}[in]={value},1")
        assert [row["id"] for row in found["data"]] == [rows[1]["id"]], name
    for sort in (*SORTED, "-c0,rank", "position_0,-value,c1", "-excluded,-rest"):
        order = ",".join(("-" if part[0] == "-" else "") + public(part.removeprefix("-")) for part in sort.split(","))
        whole = (await ask("GET", f"{ask.path}?sort={order}"))["data"]
        assert await ask.walk(f"{ask.path}?sort={order}") == whole
        assert len(whole) == 4
    # lists under a row
    assert len(await ask.walk(f"{ask.path}/{first['id']}/kin?sort=-c0,c1")) == 3
    assert len(await ask.walk(f"{ask.marks}/{mark_ids[0]}/settings?sort=slot,-r1")) == 4
    # several at once
    steps: list[dict[str, Any]] = [
        {"as": "new", "operation": f"{operation(client, number)}.create", "body": {**sent(values(6)), "key": "key 6"}},
        {"operation": f"{operation(client, number)}.update", "id": {"$ref": "new.id"}, "body": {"key": "key 7"}},
    ]
    results = (await ask("POST", "$batch", {"operations": steps}))["data"]
    holds(
        results[-1]["body"]["data"] if "body" in results[-1] else results[-1]["data"],
        {"key": "key 7", **sent(values(6))},
    )
    # states and removals
    turned = (await ask("POST", f"{one}/turn"))["data"]
    holds(turned, {**sent(values(1)), "state": "off"})
    await ask("DELETE", one, status=204)
    await ask("GET", one, status=404)
    assert (await ask("GET", f"{ask.path}/{rows[1]['id']}"))["data"]["parentId"] is None
    if ask.whole:
        restored = (await ask("POST", f"{one}/restore"))["data"]
        holds(restored, {**sent(values(1)), "state": "off", "key": "key 1"})
        await recorded(client, first["id"])
    trail = client.app.running.runtime.storage.audit_trail()
    (created,) = await trail.entries(AuditQuery(row_id=mark_ids[0], action="create"))
    assert created.after is not None
    holds(created.after, sent(audited(1)))


async def recorded(client: Client, row_id: str) -> None:
    """What became of the first row is in the audit trail, value by value."""
    entries = await client.app.running.runtime.storage.audit_trail().entries(AuditQuery(row_id=row_id))
    made = next(entry for entry in entries if entry.action == "create")
    assert made.after is not None
    holds(made.after, {**sent(values(1)), "key": "key 1", "tenant": "here"})
    changes = [entry for entry in entries if entry.action == "update" and "limit" in (entry.after or {})]
    assert [entry.after["limit"] for entry in reversed(changes) if entry.after] == [
        9,
        values(5)["limit"],
        values(1)["limit"],
    ]


def operation(client: Client, number: int) -> str:
    """The first part of the ids of the resource's operations."""
    operations = client.app.plan.operations
    found = next(key for key, (r, o) in operations.items() if r.name == f"Setting{number}" and o.kind == "create")
    return found.rpartition(".")[0]


# -- the data client


@pytest.fixture
async def db(number: int, make_settings: Callable[..., Settings]) -> AsyncIterator[Database]:
    """The data client as a script has it, for one tenant."""
    app = Sternpost(MODULES[number].contract, settings=make_settings(), write_log=lambda line: None)
    async with app.data(tenant="here" if number % 2 == 0 else None) as found:
        await found.access.model.storage.create_schema()
        yield found


def whole(row: int) -> dict[str, Any]:
    return {**values(row), "key": f"key {row}", "subject": "me"}


def has(row: Any, wanted: dict[str, Any]) -> None:
    assert {name: getattr(row, name) for name in wanted} == wanted


async def test_values_in_the_data_client(db: Database, number: int) -> None:
    settings = db.table(getattr(MODULES[number], f"Setting{number}"))
    made = await settings.create_many([whole(row) for row in range(6)], returning=True)
    for row, instance in enumerate(made):
        has(instance, whole(row))
    assert await settings.create_many([whole(5), whole(6)], on_conflict="skip") == 1
    new = {**values(7), "subject": "me"}
    upserted = await settings.upsert({"key": "key 6"}, create=new, update={"value": 1, "excluded": 2, "at": 3})
    has(upserted, {**whole(6), "value": 1, "excluded": 2, "at": 3})
    upserted = await settings.upsert({"key": "key 6"}, create=new, update={"value": {"increment": 4}})
    has(upserted, {**whole(6), "value": 5, "excluded": 2, "at": 3})
    has(await settings.upsert({"key": "key 6"}, create=new, update={}), {"value": 5, "key": "key 6"})
    has(await settings.upsert({"key": "key 7"}, create=new, update={"value": 1}), whole(7))
    for name in NUMBERS:
        await settings.update_many({"key": "key 0", "slot": "slot of 0"}, {name: {"increment": 5}})
    has(await settings.get({"key": "key 0"}), {**whole(0), **{name: values(0)[name] + 5 for name in NUMBERS}})
    for verb, expected in {"multiply": 30, "divide": 5, "decrement": 3, "set": 2}.items():
        await settings.update_many({"key": "key 1"}, dict.fromkeys(("value", "slot_1", "id_1"), 15))
        change = {"multiply": 2, "divide": 3, "decrement": 12, "set": 2}[verb]
        await settings.update_many({"key": "key 1"}, {name: {verb: change} for name in ("value", "slot_1", "id_1")})
        wanted = {"value": expected, "slot_1": expected, "id_1": expected, "c1": values(1)["c1"]}
        has(await settings.get({"key": "key 1"}), wanted)
    await settings.update({"key": "key 1"}, {"key": "key one", **values(1)})
    await settings.update({"key": "key one"}, {"key": "key 1"})
    has(await settings.get({"key": "key 1"}), whole(1))


async def test_relations_in_the_data_client(db: Database, number: int) -> None:
    settings = db.table(getattr(MODULES[number], f"Setting{number}"))
    made = await settings.create_many([whole(row) for row in range(6)], returning=True)
    first, second = made[1], made[2]
    nested = {"create": [audited(1), audited(2)]}
    lines = {"create": [values(21), values(22)]}
    kin = {"connect": [made[row].id for row in (2, 3, 4)]}
    await settings.update(first.id, {"marks": nested, "lines": lines, "kin": kin})
    include = {
        "lines": {"order": ["-position"]},
        "marks": {"order": ["-value"], "limit": 1, "offset": 1},
        "kin": {
            "where": {"c1": {"gte": 0}},
            "order": ["-rank", "c0"],
            "limit": 1,
            "offset": 1,
            "include": {"parent": True},
        },
    }
    read = await settings.get(first.id, include=include)
    assert [line.limit for line in read.lines] == [values(22)["limit"], values(21)["limit"]]
    has(read.marks[0], audited(1))
    assert [(row.key, row.parent.row.key) for row in read.kin] == [("key 3", "key 1")]
    await settings.update(second.id, {"marks": {"connect": [read.marks[0].id]}})
    for where, keys in (
        ({"lines": {"some": {"position": values(21)["position"]}}}, ["key 1"]),
        ({"marks": {"some": {"value": audited(1)["value"]}}}, ["key 1", "key 2"]),
        ({"kin": {"some": {"c0": "c0 of 3", "parent": {"r1": values(1)["r1"]}}}}, ["key 1"]),
        ({"parent": {"slot": "slot of 1", "our": "our of 1"}, "marks": {"none": {}}}, ["key 3", "key 4"]),
        ({"kin": {"every": {"c1": {"gt": values(2)["c1"] - 1}}}, "lines": {"some": {}}}, ["key 1"]),
        ({"value": {"in": [values(2)["value"], 5]}, "key": {"in": ["key 2"]}, "NOT": {"r1": 3}}, ["key 2"]),
    ):
        assert [row.key for row in await settings.find(where, order=["key"])] == keys, where
    assert await settings.delete(first.id)
    assert [row.parent for row in await settings.find({"key": "key 2"}, include={"parent": True})] == [None]
    assert await settings.count() == 5
    if number % 2 == 0:
        has(await settings.restore(first.id), whole(1))
        assert await settings.with_deleted().count() == 6


async def test_groups_and_orders_in_the_data_client(db: Database, number: int) -> None:
    settings = db.table(getattr(MODULES[number], f"Setting{number}"))
    made = await settings.create_many([whole(row) for row in range(8)], returning=True)
    await settings.update_many({"key": {"in": ["key 2", "key 3"]}}, {"c0": "same"})
    measured = [name for name in GROUPED if name in NUMBERS]
    groups = await settings.aggregate(
        by=["c0"],
        sum=measured,
        avg=measured,
        min=measured,
        max=measured,
        having={"count": {"gte": 2}, "sum": {"value": {"gt": 0}}},
        order=["-count", "sum.value", "c0"],
    )
    two = [values(row) for row in (2, 3)]
    assert [(group.by, group.count) for group in groups] == [({"c0": "same"}, 2)]
    assert groups[0].sum == {name: sum(row[name] for row in two) for name in measured}
    assert (groups[0].min, groups[0].max) == tuple({name: row[name] for name in measured} for row in two)
    order = ["-c0", "position_0", "-rank"]
    everyone = await settings.find(order=order)
    assert len(everyone) == 8
    for at, row in enumerate(everyone):
        behind = await settings.find(order=order, after=row, limit=2)
        assert [one.key for one in behind] == [one.key for one in everyone[at + 1 : at + 3]]
    distinct = await settings.find(order=["c0", "-value"], distinct=["c0"])
    assert [row.key for row in distinct if row.c0 == "same"] == ["key 3"]
    assert len(distinct) == 7
    async with db.transaction():
        has(await settings.get(made[5].id, lock=True), whole(5))
    assert await settings.delete_many({"key": "key 0", "value": {"gt": 0}, "slot": "slot of 0"}) == 1
    assert await settings.count() == 7

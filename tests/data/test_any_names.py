"""Whatever name a contract may have works: words of databases, of Pydantic's models, of Python's methods, and long names."""

from __future__ import annotations

import asyncio
import keyword
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy.dialects.postgresql.base import RESERVED_WORDS as POSTGRESQL
from sqlalchemy.dialects.sqlite.base import SQLiteIdentifierPreparer

from sternpost import Settings
from sternpost.app.migrating import scratch_databases
from sternpost.compile.fields import LIST_PARAMETERS, RESERVED
from sternpost.compile.names import SNAKE, camel
from sternpost.migrations.history import read_history
from sternpost.migrations.verify import verify
from sternpost.plan.names import NAME_MAX, SYSTEM_COLUMNS
from sternpost.testing import Client
from tests.migrations.test_databases import added
from tests.support.contracts import app_of, plan_of

HEAD = """
from __future__ import annotations
from typing import Literal
from sternpost import (Browse, Context, Contract, Create, Custom, Many, One, Owned, Payload, Read, Replace, Resource, Update,
    field, implements, many, one, public)
"""
OTHERS = {
    "self",
    "cls",
    "position",
    "oid",
    "rowid",
    "row_id",
    "excluded",
    "new",
    "old",
    "items",
    "keys",
    "get",
    "pop",
    "values",
}


def _usable(names: set[str]) -> list[str]:
    refused = (
        RESERVED | LIST_PARAMETERS | SYSTEM_COLUMNS | {"read", "create", "update", "browse", "replace", "lines", "go"}
    )
    return sorted(
        name for name in names if SNAKE.fullmatch(name) and name not in refused and not keyword.iskeyword(name)
    )


MORE = {"collation", "concurrently", "lateral", "tablesample", "nothing", "returning"}
"""Words that have to be quoted, and that SQLAlchemy does not have in its lists."""

WORDS = {
    "postgresql": _usable({word.lower() for word in POSTGRESQL} | MORE),
    "sqlite": _usable({word.lower() for word in SQLiteIdentifierPreparer.reserved_words}),
    "pydantic": _usable({*dir(BaseModel), *dir(type(BaseModel))}),
    "others": _usable(OTHERS),
}


def _contract(names: list[str]) -> str:
    fields = [
        f"    {name}: int = field(ge=0, default=1{', filter=True' if at % 3 == 0 else ''})"
        for at, name in enumerate(names)
    ]
    few = [f"    {name}: int = field(ge=0, default=1)" for name in names]
    unique = [f"    u_{number}: One[Word] | None" for number in range(2)]
    return "\n".join(
        [
            HEAD,
            'class Word(Resource, prefix="wor"):',
            *fields,
            *unique,
            "    lines: Owned[Line]",
            f"    browse = Browse(sort={names[:6]!r}, allow=public)",
            *(f"    {name.lower()} = {name}(allow=public)" for name in ("Read", "Create", "Replace", "Update")),
            'class Line(Resource, prefix="lin"):',
            "    word: One[Word]",
            *few,
            'contract = Contract("words", resources=[Word, Line])',
        ]
    )


@pytest.mark.parametrize(
    "group", [pytest.param(group, marks=[pytest.mark.slow] * (group in ("postgresql", "sqlite"))) for group in WORDS]
)
async def test_names_of_fields(
    group: str, database: str, make_settings: Callable[..., Settings], request: Any, tmp_path: Path
) -> None:
    """Over REST, in the data client, in owned rows, and in migrations."""
    names = WORDS[group]
    assert names
    text = _contract(names)
    plan = plan_of(text)
    added(tmp_path, plan, "words")
    first = names[6:]
    added(tmp_path, plan_of(_contract(first)), "fewer")
    history = added(tmp_path, plan, "all again")

    def proved() -> None:
        url = request.getfixturevalue("postgres_url") if database == "postgresql" else ""
        with scratch_databases(database, url) as make:  # type: ignore[arg-type]
            assert [text for proof in verify(history, plan, make(), make()) for text in proof.problems] == []

    await asyncio.to_thread(proved)
    sent = {camel(name): number for number, name in enumerate(names, 2)}
    lines = [sent, {name: value + 1 for name, value in sent.items()}]
    app = app_of(text, make_settings())
    async with Client(app) as client:
        answer = await client.request("POST", "/api/v1/words", json={**sent, "lines": lines})
        assert answer.status == 201, answer.content
        made = answer.json()["data"]
        path = f"/api/v1/words/{made['id']}"
        assert {name: made[name] for name in sent} == sent
        assert [{name: line[name] for name in sent} for line in made["lines"]] == lines
        more = {name: value + 7 for name, value in sent.items()}
        for part in _parts(more):
            answer = await client.request("PATCH", path, json=part)
            assert answer.status == 200, answer.content
            refused = await client.request("PATCH", path, json=dict.fromkeys(part, -1))
            assert {problem["path"] for problem in refused.json()["error"]["details"]} == set(part)
        assert {name: answer.json()["data"][name] for name in sent} == more
        answer = await client.request("PUT", path, json={**sent, "lines": lines[:1]})
        assert answer.status == 200, answer.content
        for name in names[::3]:
            answer = await client.request(
                "GET", f"/api/v1/words?{camel(name)}={sent[camel(name)]}&sort={camel(names[0])}"
            )
            assert [row["id"] for row in answer.json()["data"]] == [made["id"]], (name, answer.content)
        async with app.data() as db:
            word = _class_of(app)
            row = await db.table(word).create(dict.fromkeys(names, 5))
            assert {name: getattr(row, name) for name in names} == dict.fromkeys(names, 5)
            assert [found.id for found in await db.table(word).find(dict.fromkeys(names[:20], 5))] == [row.id]


def _parts(values: dict[str, int]) -> list[dict[str, int]]:
    """Some at a time: no more problems are listed."""
    names = list(values)
    return [{name: values[name] for name in names[at : at + 40]} for at in range(0, len(names), 40)]


def _class_of(app: Any) -> Any:
    return app.compiled.classes["Word"]


LONG = "a" * (NAME_MAX - 1)
TABLE = "t" * (NAME_MAX - 1)


def _long(*, more: str = "") -> str:
    return f"""{HEAD}
class Word(Resource, prefix="wor", plural="words", table="{TABLE}a"):
    {LONG}b: int = field(ge=0, default=1, filter=True, unique=True{more})
    {LONG}c: int = field(ge=0, default=2, filter=True, unique=True)
    {LONG}d: str = field(max_length=9, default="x", unique="nocase", filter=True)
    {LONG[3:]}: One[Word] | None
    {LONG[4:]}b: One[Word] | None = one(on_delete="set_null")
    marks: Many[Mark] = many(through="{TABLE}p")
    lines: Owned[Line]
    create = Create(allow=public)
    browse = Browse(sort=["{LONG}b", "{LONG}c"], allow=public)
    read = Read(allow=public)
    update = Update(allow=public)
class Mark(Resource, prefix="mar", plural="marks", table="{TABLE}b"):
    {LONG}b: int = field(ge=0, default=1, filter=True)
    create = Create(allow=public)
    read = Read(allow=public)
class Line(Resource, prefix="lin", table="{TABLE}c"):
    word: One[Word]
    {LONG}b: int = field(ge=0, default=1)
contract = Contract("long", resources=[Word, Mark, Line])
"""


async def test_long_names(database: str, make_settings: Callable[..., Settings], request: Any, tmp_path: Path) -> None:
    """Names of 63 characters, which differ in the last one: those that are made of them differ, and are no longer."""
    plan = plan_of(_long())
    added(tmp_path, plan, "long")
    added(
        tmp_path, plan_of(_long(more=", le=999").replace(" = field(ge=0, default=1)", " | None = field(ge=0)")), "other"
    )
    history = added(tmp_path, plan, "as before")

    def proved() -> None:
        url = request.getfixturevalue("postgres_url") if database == "postgresql" else ""
        with scratch_databases(database, url) as make:  # type: ignore[arg-type]
            assert [text for proof in verify(history, plan, make(), make()) for text in proof.problems] == []

    await asyncio.to_thread(proved)
    assert history.head == read_history(tmp_path).head
    async with Client(app_of(_long(), make_settings())) as client:
        mark = (await client.request("POST", "/api/v1/marks", json={})).json()["data"]["id"]
        body = {f"{LONG}b": 3, f"{LONG}d": "Ab", "lines": [{}, {}], "markIds": [mark]}
        answer = await client.request("POST", "/api/v1/words", json=body)
        assert answer.status == 201, answer.content
        for name, value in ((f"{LONG}b", 3), (f"{LONG}c", 2), (f"{LONG}d", "aB")):
            other = {f"{LONG}b": 4, f"{LONG}c": 5, f"{LONG}d": "other", name: value}
            refused = await client.request("POST", "/api/v1/words", json=other)
            assert refused.status == 409, refused.content
            assert [detail["path"] for detail in refused.json()["error"]["details"]] == [name]
        nowhere = {**body, f"{LONG}b": 4, f"{LONG}c": 5, f"{LONG}d": "o", f"{LONG[4:]}bId": f"wor_{9:032x}"}
        refused = await client.request("POST", "/api/v1/words", json=nowhere)
        assert refused.status == 422, refused.content
        found = await client.request("GET", f"/api/v1/words?{LONG}b=3&sort={LONG}c&include=marks")
        assert [row["marks"][0]["id"] for row in found.json()["data"]] == [mark]


async def test_names_of_payloads(make_settings: Callable[..., Settings]) -> None:
    names = [name for group in WORDS.values() for name in group]
    fields = "\n".join(f"    {name}: int" for name in dict.fromkeys(names))
    text = f"""{HEAD}
class Numbers(Payload):
{fields}
class Word(Resource, prefix="wor"):
    label: str
    create = Create(allow=public)
    add = Custom(input=Numbers, output=Numbers, on="collection", allow=public)
@implements(Word.add)
async def add(context: Context, input: Numbers) -> Numbers:
    return Numbers(**{{name: getattr(input, name) + 1 for name in vars(input)}})
contract = Contract("words", resources=[Word])
"""
    sent = {camel(name): number for number, name in enumerate(names)}
    async with Client(app_of(text, make_settings(), services=["add"])) as client:
        answer = await client.request("POST", "/api/v1/words/add", json=sent)
        assert answer.status == 200, answer.content
        assert answer.json()["data"] == {name: number + 1 for name, number in sent.items()}

"""Full-text search of lists: what is found and in which order, on each database, against an oracle in Python."""

from __future__ import annotations

import contextlib
import random
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest

from sternpost import (
    Added,
    Browse,
    Changed,
    Contract,
    Create,
    Database,
    Delete,
    Many,
    NotFound,
    One,
    Read,
    Resource,
    Restore,
    Settings,
    Slug,
    Sternpost,
    Table,
    Update,
    Version,
    field,
    many,
    public,
    scope,
    searched,
    this,
)
from sternpost.cli.explain import explain_one
from sternpost.cli.output import Terminal
from sternpost.compile.compiler import compile_contract
from sternpost.derive.openapi.document import openapi
from sternpost.derive.typed_data import typed_data
from sternpost.testing import Client
from tests.support.rounds import rounds
from tests.support.words import distance, words


class Practice(Resource, prefix="prc"):
    title: str
    patients: Many[Patient]

    read = Read(allow=public)
    create = Create(allow=public)


class Patient(Resource, prefix="pat", tenant="practice_id", soft_delete=True):
    practice: One[Practice]
    name: str
    notes: str | None = field(max_length=20_000)
    handle: Slug = field(default="x", filter=True)
    ssn: str = field(default="", read="ssn", max_length=400)
    hidden: bool = field(default=False, filter=True)
    age: int = field(default=1, filter=True)
    visits: Many[Visit] = many(route=True)

    browse = Browse(
        allow=~this.hidden.eq(True) | scope("all"),
        search=["name", "notes", "handle", searched("ssn", all=True)],
        sort=["name", "age"],
        default_sort=["name"],
        export=True,
        or_groups=2,
        max_page_size=500,
    )
    read = Read(allow=~this.hidden.eq(True) | scope("all"))
    create = Create(allow=public)
    update = Update(allow=public)
    delete = Delete(allow=public)
    restore = Restore(allow=public)


class Visit(Resource, prefix="vis", tenant="practice_id"):
    """A field may be called as the parameter is where its list is not searched."""

    practice: One[Practice]
    patient: One[Patient]
    reason: str

    browse = Browse(allow=public, search=["reason"])
    read = Read(allow=public)
    create = Create(allow=public)


class Shelf(Resource, prefix="shf", plural="shelves"):
    search: str = field(filter=True)

    browse = Browse(allow=public)
    create = Create(allow=public)


CONTRACT = Contract(
    "practice",
    resources=[Practice, Patient, Visit, Shelf],
    api_version="v3",
    older=(
        Version("v2", changes=[Changed(Patient, "browse", was={"search": ["name", "handle"]})]),
        Version("v1", changes=[Added(Patient, "handle", default="x")]),
    ),
)

PIECES = (
    *("Ann", "ann", "ANNA", "Anne-Marie", "an", "a", "fev", "Fever", "FÉV", "fév", "fe\u0301v", "Straße", "STRASSE"),
    *("ΣΟΦΟΣ", "σοφός", "σοφος", "İst", "ist", "x_y", "x-ray", "2.5", "25", "007", "12b", "e@x.org", "漢字", "漢"),
    *("😀", "naïve", "क्षि", "½", "²x", "-", "'", '"', "\\", "*", "AND", "OR", "NOT", "a:b", "(a", "&", "|", "!", "nul"),
    *("Żółw", "żółw", "Ж", "ж", "\u00ad", "co\u00adop", "ﬁ", "ǅ", "Kelvin \u212a", "\u017f", "_", "%", "{a}", "^"),
)


class Practices:
    """Two practices with patients, and what each of their callers may find."""

    def __init__(self, app: Sternpost) -> None:
        self.app = app
        self.client = Client(app)
        self.ids: list[str] = []
        self.rows: dict[str, dict[str, Any]] = {}

    async def fill(self) -> None:
        async with self.app.data(Database, tenants="all") as db:
            for title in ("a", "b"):
                self.ids.append((await Table(db, Practice).create({"title": title})).id)

    async def add(self, place: int, **values: Any) -> str:
        made = await self.call("POST", "v3/patients", place, "ssn", json=values)
        assert made.status == 201, made.content
        row = made.json()["data"]
        self.rows[row["id"]] = {"place": place, "notes": None, "ssn": "", "handle": "x", "hidden": False, **values}
        return row["id"]

    async def call(self, method: str, path: str, place: int = 0, *scopes: str, json: Any = None, **more: Any) -> Any:
        token = self.client.token("ada", *scopes, tenant=self.ids[place])
        return await self.client.request(method, f"/api/{path}", json=json, token=token, **more)

    async def find(self, text: str, place: int = 0, *scopes: str, version: str = "v3", more: str = "") -> list[str]:
        path = f"{version}/patients?search={quote(text)}&pageSize=500{more}"
        answer = await self.call("GET", path, place, *scopes)
        assert answer.status == 200, answer.content
        return [item["id"] for item in answer.json()["data"]]

    async def names(self, text: str, more: str = "", *scopes: str, version: str = "v3") -> str:
        return " ".join(self.rows[key]["name"] for key in await self.find(text, 0, *scopes, version=version, more=more))

    def expected(self, text: str, place: int = 0, *, sees_all: bool = False) -> list[str]:
        asked = words(text)
        found: list[tuple[int, str]] = []
        for key, row in self.rows.items():
            far = distance(asked, [row["name"], row["notes"], row["handle"], row["ssn"]])
            if far is not None and row["place"] == place and not row.get("gone") and (sees_all or not row["hidden"]):
                found.append((far, key))
        return [key for _, key in sorted(found)]


@pytest.fixture
async def practices(make_settings: Callable[..., Settings]) -> AsyncIterator[Practices]:
    app = Sternpost(CONTRACT, settings=make_settings(), write_log=lambda line: None)
    async with Client(app):
        practices = Practices(app)
        await practices.fill()
        yield practices


@rounds(60, 400)
async def test_found_rows_are_those_of_an_oracle(practices: Practices, rounds: int) -> None:
    drawn = random.Random(7)

    def text(most: int) -> str:
        return drawn.choice((" ", "", ",")).join(drawn.choices(PIECES, k=drawn.randint(1, most)))

    for number in range(rounds):
        key = await practices.add(
            drawn.randint(0, 1), name=text(3), notes=drawn.choice((None, text(8))), hidden=drawn.random() < 0.2
        )
        if number % 7 == 0:
            changed = {"notes": text(4)} if number % 2 else {"age": 5}
            place = practices.rows[key]["place"]
            answer = await practices.call("PATCH", f"v3/patients/{key}", place, "all", json=changed)
            assert answer.status == 200
            practices.rows[key] |= changed
        if number % 11 == 0:
            answer = await practices.call("DELETE", f"v3/patients/{key}", practices.rows[key]["place"], "all")
            assert answer.status == 204, answer.content
            practices.rows[key]["gone"] = True
    several = 0
    for number in range(rounds):
        asked = drawn.choice(PIECES)[: drawn.randint(1, 4)] if number % 3 else text(2)
        if not 0 < len(words(asked)) <= 10:
            continue
        place, sees_all = drawn.randint(0, 1), drawn.random() < 0.5
        found = await practices.find(asked, place, *(("all",) if sees_all else ()))
        assert found == practices.expected(asked, place, sees_all=sees_all), asked
        several += len(found) > 3
        if number % 4 == 0:
            assert await pages(practices, asked, place) == practices.expected(asked, place), asked
    assert several > 10, "the oracle was asked for something"


async def pages(practices: Practices, text: str, place: int) -> list[str]:
    """All rows, two at a time, by cursors; and by numbers."""
    found: list[str] = []
    cursor = ""
    while cursor is not None:
        path = f"v3/patients?search={quote(text)}&pageSize=2&count=true&cursor={cursor}"
        answer = (await practices.call("GET", path, place)).json()
        found += [item["id"] for item in answer["data"]]
        cursor = answer["meta"]["nextCursor"]
    assert answer["meta"]["totalCount"] == len(found)
    numbered = [
        item["id"]
        for page in range(1, len(found) // 2 + 2)
        for item in (
            await practices.call("GET", f"v3/patients?search={quote(text)}&pageSize=2&page={page}", place)
        ).json()["data"]
    ]
    assert numbered == found
    return found


@pytest.fixture
async def clinic(practices: Practices) -> Practices:
    """Some patients whose names tell what they are about."""
    for values in (
        {"name": "Notes", "notes": "ann was here", "age": 3},
        {"name": "Anna", "notes": "fever", "age": 2},
        {"name": "Ann", "notes": "high FEVER, 39.5", "age": 9},
        {"name": "Hidden", "notes": "ann", "hidden": True},
        {"name": "Sealed", "ssn": "078-05-1120"},
        {"name": "Tagged", "handle": "ann-fe"},
    ):
        await practices.add(0, **values)
    await practices.add(1, name="Other", notes="ann fever")
    return practices


COMBINED = (
    ("ann", "", "Ann Anna Notes Tagged"),
    ("ANN", "&sort=-age", "Ann Notes Anna Tagged"),
    ("ann fev", "", "Ann Anna"),
    ("fev ann", "&age[gt]=2", "Ann"),
    ("ann fe", "", "Ann Anna Tagged"),
    ("fever ann fever", "", "Ann Anna"),
    ("39,5", "", "Ann"),
    ("1120", "", "Sealed"),
    ("078 05", "", "Sealed"),
    ("8", "", ""),
    ("ann", "&or.1.age=3&or.2.age=9", "Ann Notes"),
    ("ann", "&fields=id&include=visits", "Ann Anna Notes Tagged"),
    ('"ann" OR other*', "", ""),
    ("a", "&handle=ann-fe", "Tagged"),
)


async def test_a_search_combines_with_the_rest(clinic: Practices) -> None:
    for text, more, found in COMBINED:
        assert await clinic.names(text, more) == found, (text, more)


async def test_each_row_and_version_is_searched_as_it_is_read(clinic: Practices) -> None:
    assert await clinic.names("ann", "", "all") == "Ann Anna Notes Hidden Tagged"
    assert await clinic.names("ann", version="v2") == "Ann Anna Tagged", "v2 is not searched in the notes"
    assert await clinic.names("ann", version="v1") == "Ann Anna", "v1 does not know handles, nor notes in a search"
    ann = next(key for key, row in clinic.rows.items() if row["name"] == "Ann")
    assert (await clinic.call("DELETE", f"v3/patients/{ann}")).status == 204
    assert await clinic.names("ann fever") == "Anna"
    assert (await clinic.call("POST", f"v3/patients/{ann}/restore")).status == 200
    assert await clinic.names("ann fever") == "Ann Anna"
    steps = [
        {"operation": "patients.update", "id": ann, "body": {"notes": None}},
        {"operation": "patients.browse", "query": {"search": "ann fever"}},
    ]
    answer = await clinic.call("POST", "v3/$batch", json={"operations": steps})
    assert answer.status == 200, answer.content
    assert [item["name"] for item in answer.json()["data"][1]["data"]] == ["Anna"]


async def test_exports_and_nested_lists_are_searched(clinic: Practices) -> None:
    answer = await clinic.call("GET", "v3/patients?search=ann&fields=name", headers={"accept": "text/csv"})
    assert answer.content.split() == [b"name", b"Ann", b"Anna", b"Notes", b"Tagged"]
    patient = (await clinic.find("anna"))[0]
    for reason in ("fever since Monday", "Monday", "a Mondays' child"):
        made = await clinic.call("POST", "v3/visits", json={"patientId": patient, "reason": reason})
        assert made.status == 201, made.content
    answer = await clinic.call("GET", f"v3/patients/{patient}/visits?search=monday&count=true&cursor=&pageSize=1")
    assert [item["reason"] for item in answer.json()["data"]] == ["fever since Monday"]
    assert answer.json()["meta"]["totalCount"] == 3
    other = (await clinic.find("notes"))[0]
    assert (await clinic.call("GET", f"v3/patients/{other}/visits?search=monday")).json()["data"] == []
    moved = answer.json()["meta"]["nextCursor"]
    refused = await clinic.call("GET", f"v3/patients/{patient}/visits?search=mon&cursor={moved}")
    assert refused.status == 400, "a cursor is that of one search"


WRONG = (
    ("patients?search=", "invalid_parameter", "at least one letter or digit"),
    ("patients?search=%20-%20_%F0%9F%98%80", "invalid_parameter", "at least one letter or digit"),
    (f"patients?search={'a' * 201}", "invalid_parameter", "at most 200 characters"),
    ("patients?search=a+b+c+d+e+f+g+h+i+j+k", "invalid_parameter", "at most 10 words"),
    ("patients?search=a&search=b", "repeated_parameter", "more than once"),
    ("patients?search[contains]=a", "unknown_parameter", "no such parameter"),
    ("patients?or.1.search=a", "unknown_parameter", "no such parameter"),
    ("patients?visits.search=a", "unknown_parameter", "no such parameter"),
    ("patients?nothing=a", "unknown_parameter", "sort, search, "),
)


async def test_a_wrong_search_is_told(clinic: Practices) -> None:
    for path, code, said in WRONG:
        answer = await clinic.call("GET", f"v3/{path}")
        assert answer.status == 400, answer.content
        (detail,) = answer.json()["error"]["details"]
        assert detail["code"] == code, path
        assert said in detail["message"].replace("include, ", ""), detail


async def test_a_field_may_be_called_so_where_no_list_is_searched(clinic: Practices) -> None:
    assert (await clinic.call("POST", "v3/shelves", json={"search": "x"})).status == 201
    assert len((await clinic.call("GET", "v3/shelves?search=x")).json()["data"]) == 1
    assert len((await clinic.call("GET", "v3/shelves?search=y")).json()["data"]) == 0


async def test_the_data_client_searches(clinic: Practices) -> None:
    async with clinic.app.data(Database, tenant=clinic.ids[0]) as db:
        patients = Table(db, Patient)
        found = [row.name for row in await patients.find({"SEARCH": "ann"})]
        assert found == ["Ann", "Anna", "Notes", "Hidden", "Tagged"]
        assert [row.name for row in await patients.find({"SEARCH": "ann", "age": {"gt": 2}}, limit=1)] == ["Ann"]
        first = await patients.first({"SEARCH": "ann"})
        assert first is not None
        behind = await patients.find({"SEARCH": "ann"}, after=first, limit=2)
        assert [row.name for row in behind] == ["Anna", "Notes"]
        assert (await patients.find({"SEARCH": "ann"}, order=["-name"]))[0].name == "Tagged"
        assert [row.age for row in await patients.find({"SEARCH": "a"}, distinct=["age"], limit=2)] == [2, 9]
        assert (await patients.aggregate(max=["age"], where={"SEARCH": "ann"}))[0].max["age"] == 9
        assert await patients.count({"OR": [{"SEARCH": "fever"}, {"NOT": {"SEARCH": "a"}}]}) == 3
        assert await patients.count({"visits": {"none": {"SEARCH": "x"}}, "SEARCH": "ann"}) == 5
        assert await patients.update_many({"SEARCH": "fever"}, {"notes": "cold"}) == 2
        assert await patients.count({"SEARCH": "fever"}) == 0
        assert await patients.delete_many({"SEARCH": "cold"}) == 2
        (notes,) = await patients.find({"SEARCH": "notes"})
        await patients.upsert({"id": notes.id}, create={"name": "Other", "notes": "x"}, update={"name": "Zoe"})
        assert [row.name for row in await patients.find({"SEARCH": "zoe"})] == ["Zoe"]
        await patients.create_many([{"name": f"Zo {number}", "notes": None} for number in range(3)])
        assert await patients.count({"SEARCH": "zo"}) == 4
        with pytest.raises(ValueError, match="at most 10 words"):
            await patients.find({"SEARCH": "a b c d e f g h i j k"})
        with pytest.raises(TypeError, match="takes a text, not int"):
            await patients.find({"SEARCH": 1})
        with pytest.raises(TypeError, match="Practice has no field or relation 'SEARCH'"):
            await Table(db, Practice).find({"SEARCH": "a"})
    async with clinic.app.data(Database, tenants="all") as db:
        assert [row.name for row in await Table(db, Patient).find({"SEARCH": "ann fever"})] == ["Other"]


async def test_what_is_rolled_back_is_not_found(clinic: Practices) -> None:
    async with clinic.app.data(Database, tenant=clinic.ids[0]) as db:
        with contextlib.suppress(NotFound):
            async with db.transaction():
                await Table(db, Patient).update_many({"SEARCH": "anna"}, {"name": "Zoe"})
                assert await Table(db, Patient).count({"SEARCH": "zoe"}) == 1
                await Table(db, Patient).update("pat_" + "0" * 32, {"name": "Nobody"})
    assert await clinic.names("zoe") == ""
    assert await clinic.names("anna") == "Anna"


async def test_long_texts_and_long_words_are_searched(clinic: Practices) -> None:
    """PostgreSQL refuses lexemes of more than 2 kB, SQLite tokens of more than 32 kB."""
    long = "ж" * 9_000 + " " + "漢" * 300 + " Ende"
    await clinic.add(0, name="Long", notes=long)
    assert await clinic.names("ж" * 200) == "Long"
    assert await clinic.names("ende") == "Long"
    many = " ".join(chr(0x20000 + number) for number in range(9_000))
    await clinic.add(0, name="Many", notes=many)
    assert await clinic.names(chr(0x20000 + 8_999)) == "Many"


async def test_descriptions_and_types_tell_what_is_searched() -> None:
    compiled = compile_contract(CONTRACT)
    told: list[str] = []
    for plan in (compiled.plan, *(older.plan for older in compiled.older)):
        paths = openapi(plan)["paths"]
        for path, name in (("patients", "search"), ("shelves", "search")):
            (found,) = [
                each for each in paths[f"{plan.base_path}/{path}"]["get"]["parameters"] if each.get("name") == name
            ]
            told.append(found["description"].partition(". ")[0].rpartition(" word of ")[2])
    assert told == [
        *("name, notes, handle or ssn", "search is this value"),
        *("name or handle", "search is this value"),
        *("name", "search is this value"),
    ]
    types = typed_data(compiled)
    having = [
        name
        for name in ("Practice", "Patient", "Visit", "Shelf")
        if "SEARCH" in types.split(f"{name}Where = ")[1][:400]
    ]
    assert having == ["Patient", "Visit"]
    terminal = Terminal()
    with terminal.capture() as printed:
        explain_one(compiled, "patients.browse", "sqlite", terminal)
    assert "(name, notes, handle, searched(ssn, all=True))" in printed.get()

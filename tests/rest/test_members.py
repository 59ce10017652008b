"""Filters over members of objects in JSON: every operator on every kind finds what Python finds, on each database."""

from __future__ import annotations

import json
import operator
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Database,
    IPAddress,
    One,
    Payload,
    Read,
    Renamed,
    Resource,
    Settings,
    Sternpost,
    Table,
    Version,
    field,
    public,
    related,
    scope,
    this,
)
from sternpost.kinds import WRITERS, without_case
from sternpost.testing import Client
from tests.existing.support import execute

PATH = "/api/v2/places"
LEVELS = ("low", "mid", "high")


class Geo(Payload):
    country: str = field(filter=True, default="")
    height: Decimal = field(decimal_places=3, filter=True, default=Decimal(0))


class Address(Payload):
    city: str = field(filter=True, default="")
    number: int = field(filter=True, default=0)
    share: float = field(filter=True, default=0)
    price: Decimal = field(decimal_places=2, max_digits=18, filter=True, default=Decimal(0))
    whole: Decimal = field(decimal_places=0, filter=True, default=Decimal(0))
    paid: bool = field(filter=True, default=False)
    day: date = field(filter=True, default=date(2026, 1, 1))
    made_at: datetime = field(filter=True, default=datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))))
    opens: time = field(filter=True, default=time(9))
    span: timedelta = field(filter=True, default=timedelta(0))
    key: UUID | None = field(filter=True)
    host: IPAddress | None = field(filter=True)
    level: Literal["low", "mid", "high"] = field(ordered=True, filter=True, default="low")
    note: str | None = field(filter=["eq", "isNull"])
    geo: Geo | None


MEMBERS = (
    "city",
    "number",
    "share",
    "price",
    "whole",
    "paid",
    "day",
    "made_at",
    "opens",
    "span",
    "key",
    "host",
    "level",
)
NESTED = ("country", "height")


class Owner(Resource, prefix="own"):
    home: Address
    hidden: bool = field(default=False)

    read = Read(allow=~this.hidden.eq(True) | scope("all"))
    create = Create(allow=public)


class Place(Resource, prefix="pla"):
    number: int
    address: Address | None
    inside: Address | None = field(default=None, read="secrets")
    owner: One[Owner] | None

    browse = Browse(
        allow=public,
        max_page_size=1000,
        page_size=1000,
        filter=[
            *(f"address.{name}" for name in MEMBERS),
            *(f"address.geo.{name}" for name in NESTED),
            "address.note",
            "inside.city",
            "owner.home.geo.country",
            related("owner.home.city", all=True),
        ],
        or_groups=2,
        export=True,
    )
    create = Create(allow=public)


OLDER = Version("v1", [Renamed(Place, "address", was="place")])
CONTRACT = Contract("places", resources=[Owner, Place], api_version="v2", older=[OLDER])


@pytest.fixture
async def app(make_settings: Callable[..., Settings]) -> AsyncIterator[Sternpost]:
    app = Sternpost(CONTRACT, settings=make_settings())
    app._write_log = lambda line: None
    async with Client(app):
        yield app


TEXTS = (
    "",
    "York",
    "york",
    "YORK",
    "Köln",
    "KÖLN",
    "\U0001f600",
    "\ue000",
    "100",
    "1e2",
    "a,b\\c",
    "x%_'\"",
    "null",
    "true",
)
INSTANTS = (
    datetime(2026, 1, 31, 12, tzinfo=UTC),
    datetime(2026, 1, 31, 12, 0, 0, 500000, tzinfo=UTC),
    datetime(2026, 1, 31, 12, 0, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
)
VALUES: dict[str, tuple[Any, ...]] = {
    "city": TEXTS,
    "country": TEXTS,
    "number": (0, 1, -1, 9, 10, 100, -100, 2**53 + 1, 2**63 - 1, -(2**63)),
    "share": (
        0.0,
        100.0,
        -1.5,
        0.1,
        0.1 + 0.2,
        0.3,
        1e-300,
        -1e300,
        5e-324,
        1.7976931348623157e308,
        9007199254740993.0,
    ),
    "price": tuple(
        map(Decimal, ("0.00", "-0.50", "0.50", "9.99", "10.00", "-10.00", "9" * 16 + ".99", "-" + "9" * 16 + ".98"))
    ),
    "height": tuple(map(Decimal, ("0.000", "-0.001", "1.100", "1.099", "12.000"))),
    "whole": tuple(map(Decimal, ("0", "-7", "9", "10", "9" * 18))),
    "paid": (True, False),
    "day": (date(1, 1, 1), date(2026, 1, 31), date(2026, 2, 1), date(9999, 12, 31)),
    "made_at": INSTANTS,
    "opens": (time(0), time(9), time(9, 0, 0, 1), time(9, 0, 1), time(23, 59, 59, 999999)),
    "span": (timedelta(0), timedelta(hours=2), timedelta(days=-1), timedelta(microseconds=1)),
    "key": (UUID(int=1), UUID("ABCDEF00-0000-4000-8000-000000000000"), None),
    "host": (ip_address("192.0.2.1"), ip_address("2001:db8::1"), None),
    "level": LEVELS,
}
WIRE = {
    "number": "integer",
    "price": "decimal",
    "whole": "decimal",
    "height": "decimal",
    "day": "date",
    "made_at": "datetime",
    "opens": "time",
    "span": "duration",
    "key": "uuid",
    "host": "ip",
}


def public_name(name: str) -> str:
    return "madeAt" if name == "made_at" else name


def wire(name: str, value: Any) -> Any:
    """A value as JSON has it."""
    places = {"price": 2, "height": 3, "whole": 0}.get(name)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if places is not None:
        return format(value, "f")
    return WRITERS[WIRE[name]](None, value)  # type: ignore[index, arg-type]


def told(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


Row = dict[str, Any]


async def fill(app: Sternpost) -> list[Row]:
    """Rows with values at random; some with nothing, some as they were before their members were declared."""
    chance = random.Random(11)
    rows: list[Row] = []
    async with app.data(Database) as db:
        places = Table(db, Place)
        for number in range(60):
            row: Row | None = {name: chance.choice(VALUES[name]) for name in MEMBERS}
            geo = {name: chance.choice(VALUES[name]) for name in NESTED} if number % 3 else None
            row = None if number % 10 == 9 else row
            address = None if row is None else Address(**row, geo=None if geo is None else Geo(**geo), note=None)
            await places.create({"number": number, "address": address})
            rows.append({**(row or {}), **((geo or {}) if row is not None else {})})
    old = [
        {"city": "York", "share": "1e2", "geo": {}},
        {"number": "1E2"},
        {"geo": None, "price": '"7"'},
        {"price": "null"},
    ]
    statements: list[str] = []
    for number, given in enumerate(old, start=60):
        members = (
            f'"{key}": {value if key in ("share", "number", "price") else json.dumps(value)}'
            for key, value in given.items()
        )
        text = "{" + ", ".join(members) + "}"
        statements.append(f"INSERT INTO places (id, number, address) VALUES ('{number:032x}', {number}, '{text}')")
    await execute(app.settings.database_url.get_secret_value(), ";".join(statements))
    rows += [{"city": "York", "share": 100.0}, {"number": 100}, {"price": Decimal(7)}, {}]
    return rows


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "contains": lambda value, part: part in value,
    "startsWith": lambda value, part: value.startswith(part),
    "endsWith": lambda value, part: value.endswith(part),
    "iEq": lambda value, other: without_case(value) == without_case(other),
    "iContains": lambda value, part: without_case(part) in without_case(value),
    "iStartsWith": lambda value, part: without_case(value).startswith(without_case(part)),
}
RANGES = ("gt", "gte", "lt", "lte")
PARTS = ("contains", "startsWith", "iEq", "iContains", "iStartsWith")


def offered(name: str) -> tuple[str, ...]:
    if name in ("city", "country"):
        return ("eq", "ne", *PARTS)
    if name in ("span", "key", "host"):
        return ("eq", "ne")
    return ("eq", "ne") if name == "paid" else ("eq", "ne", *RANGES)


def fits(row: Row, name: str, test: str, wanted: Any) -> bool:
    """What Python says; what is not there fits nothing."""
    value = row.get(name)
    if value is None:
        return False
    if name == "level":
        value, wanted = LEVELS.index(value), LEVELS.index(wanted)
    return COMPARE[test](value, wanted)


async def asked(app: Sternpost, query: str, *scopes: str, path: str = PATH) -> set[int]:
    """The numbers of what is found; by an export, which shows members alone that are asked for."""
    client = Client(app)
    token = client.token("ada", *scopes) if scopes else None
    answer = await client.request("GET", f"{path}?fields=number&{query}", token=token)
    assert answer.status == 200, (query, answer.content)
    return {row["number"] for row in answer.json()["data"]}


async def test_every_operator_finds_what_python_finds(app: Sternpost) -> None:
    rows = await fill(app)
    for name in (*MEMBERS, *NESTED):
        path = f"address.{'geo.' if name in NESTED else ''}{public_name(name)}"
        values = [value for value in VALUES[name] if value is not None]
        for test in offered(name):
            for value in values:
                text = quote(told(wire(name, value)))
                found = await asked(app, f"{path}[{test}]={text}")
                assert found == {n for n, row in enumerate(rows) if fits(row, name, test, value)}, (name, test, value)
        absent = {number for number, row in enumerate(rows) if row.get(name) is None}
        assert await asked(app, f"{path}[isNull]=true") == absent, name
        assert await asked(app, f"{path}[isNull]=false") == {*range(len(rows))} - absent, name
        if name != "paid":
            some = values[:2]
            listed = quote(",".join(told(wire(name, each)).replace("\\", "\\\\").replace(",", "\\,") for each in some))
            expected = {n for n, row in enumerate(rows) if row.get(name) is not None and row[name] in some}
            assert await asked(app, f"{path}[in]={listed}") == expected, name


async def test_the_data_client_takes_the_same_paths(app: Sternpost) -> None:
    rows = await fill(app)
    everything = {*range(len(rows))}
    async with app.data(Database) as db:
        places = Table(db, Place)

        async def found(where: Any) -> set[int]:
            return {row.number for row in await places.find(where, fields=["number"])}

        for name in (*MEMBERS, *NESTED):
            path = f"address.{'geo.' if name in NESTED else ''}{name}"
            for value in VALUES[name]:
                if value is None:
                    assert await found({path: None}) == {n for n, row in enumerate(rows) if row.get(name) is None}
                    continue
                for test in offered(name):
                    if test.startswith("i"):
                        plain = {"iEq": "eq", "iContains": "contains", "iStartsWith": "startsWith"}[test]
                        where: Any = {path: {plain: value, "mode": "insensitive"}}
                    else:
                        where = {path: {test: value}}
                    expected = {n for n, row in enumerate(rows) if fits(row, name, test, value)}
                    assert await found(where) == expected, (name, test, value)
                    assert await found({"NOT": where}) == everything - expected, (name, test, value)
            some = [value for value in VALUES[name] if value is not None][:2]
            if name != "paid":
                expected = {n for n, row in enumerate(rows) if row.get(name) is not None and row[name] not in some}
                assert await found({path: {"notIn": some}}) == expected, name
        ends = {n for n, row in enumerate(rows) if fits(row, "city", "endsWith", "k")}
        assert await found({"address.city": {"endsWith": "k"}}) == ends
        assert await found({"OR": [{"address.number": 100}, {"address.city": "100"}]}) == {
            n for n, row in enumerate(rows) if row.get("number") == 100 or row.get("city") == "100"
        }
        for wrong in ("address.geo", "address.town", "address", "number.x", "home.city"):
            with pytest.raises(TypeError):
                await found({wrong: {"eq": "x"}})
        with pytest.raises(TypeError, match="gt"):
            await found({"address.span": {"gt": timedelta(0)}})


async def test_what_is_wrong_with_a_filter_is_told(app: Sternpost) -> None:
    client = Client(app)
    for query, code in (
        ("address.number=1.5", "invalid_parameter"),
        ("address.number=99999999999999999999", "invalid_parameter"),
        ("address.level=highest", "invalid_parameter"),
        ("address.day[gt]=2026-02-31", "invalid_parameter"),
        ("address.city=%00", "invalid_parameter"),
        ("address.span[gt]=PT1H", "unknown_parameter"),
        ("address.note[contains]=x", "unknown_parameter"),
        ("address.town=x", "unknown_parameter"),
        ("address.geo=x", "unknown_parameter"),
        ("address=x", "unknown_parameter"),
        ("inside.city=York", "unknown_parameter"),
    ):
        answer = await client.request("GET", f"{PATH}?{query}")
        assert (answer.status, answer.error["details"][0]["code"]) == (400, code), query
        assert answer.error["details"][0]["path"] == query.partition("=")[0]
    told_of = (await client.request("GET", f"{PATH}?x=1")).error["details"][0]["message"]
    assert "address.city[startsWith]" in told_of
    assert "address.geo.height[gte]" in told_of
    assert "inside" not in told_of


async def test_scopes_references_groups_and_versions(app: Sternpost) -> None:
    async with app.data(Database) as db:
        owners = [
            await Table(db, Owner).create(
                {"home": Address(city=city, geo=Geo(country="GB")), "hidden": city == "Leeds"}
            )
            for city in ("York", "Leeds")
        ]
        for number, owner in enumerate((*owners, None)):
            data: Any = {"number": number, "address": Address(city=f"c{number}"), "inside": Address(city=f"i{number}")}
            await Table(db, Place).create({**data, **({"owner": {"connect": owner}} if owner else {})})
    assert await asked(app, "inside.city=i1", "secrets") == {1}
    assert await asked(app, "owner.home.geo.country=GB") == {0}, "only rows that the caller may read count"
    assert await asked(app, "owner.home.geo.country=GB", "all") == {0, 1}
    assert await asked(app, "owner.home.city[in]=York,Leeds") == {0, 1}
    assert await asked(app, "or.1.address.city=c0&or.2.address.city[startsWith]=c2&or.2.owner.home.city=x") == {0}
    assert await asked(app, "place.city=c1", path="/api/v1/places") == {1}
    client = Client(app)
    assert (await client.request("GET", "/api/v1/places?address.city=c1")).status == 400
    export = await client.request("GET", f"{PATH}?address.city=c2", headers={"accept": "application/x-ndjson"})
    assert [json.loads(line)["number"] for line in export.content.splitlines()] == [2]
    page = await client.request("GET", f"{PATH}?address.city[startsWith]=c&pageSize=2&cursor=")
    cursor = page.json()["meta"]["nextCursor"]
    rest = await client.request("GET", f"{PATH}?address.city[startsWith]=c&pageSize=2&cursor={cursor}")
    assert [row["number"] for row in rest.json()["data"]] == [2]
    other = await client.request("GET", f"{PATH}?address.city[startsWith]=i&pageSize=2&cursor={cursor}")
    assert other.status == 400


async def test_instants_in_bodies_are_found_by_their_instant(app: Sternpost) -> None:
    client = Client(app)
    body = {
        "madeAt": "2026-01-31T14:00:00+02:00",
        "key": "ABCDEF00-0000-4000-8000-000000000000",
        "host": "2001:DB8:0::1",
    }
    made = await client.post(PATH, json={"number": 1, "address": {**body, "price": "1.5", "opens": "09:00"}})
    assert made.status == 201, made.content
    for query in (
        "madeAt=2026-01-31T12:00:00Z",
        "madeAt[lte]=2026-01-31T12:00:00Z",
        "madeAt=2026-01-31T13:00:00%2B01:00",
        "key=abcdef00-0000-4000-8000-000000000000",
        "host=2001:db8::1",
        "price=1.50",
        "price[in]=1.5,2.999",
        "price[lt]=1.501",
        "opens=09:00:00",
    ):
        assert await asked(app, f"address.{query}") == {1}, query
    assert await asked(app, "address.price=1.501") == set()
    assert (await client.post(PATH, json={"number": 2, "address": {}})).status == 201
    assert await asked(app, "address.madeAt=2026-01-01T00:00:00Z") == {2}, "a default is an instant, too"


async def test_parameters_are_described(app: Sternpost) -> None:
    document = (await Client(app).request("GET", "/openapi.json")).json()
    parameters = {each["name"]: each["schema"] for each in document["paths"][PATH]["get"]["parameters"]}
    assert parameters["address.number[gte]"]["format"] == "int64"
    assert parameters["address.geo.height"]["type"] == "string"
    assert parameters["address.key[isNull]"] == {"type": "boolean"}
    assert parameters["address.city[isNull]"] == {"type": "boolean"}
    assert "address.span[gt]" not in parameters

"""Lists, dictionaries, objects and unions of objects, at any depth: checked on the way in, kept, and checked on the way
out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any, Literal

import pytest

from sternpost import (
    Browse,
    Change,
    Context,
    Contract,
    Create,
    Custom,
    Database,
    Invalid,
    Json,
    Payload,
    Read,
    Resource,
    Settings,
    Sternpost,
    Table,
    Update,
    field,
    implements,
    public,
)
from sternpost.testing import Client


class Card(Payload):
    kind: Literal["card"] = field(default="card")
    number: str = field(pattern="^[0-9]{4}$")


class Transfer(Payload):
    kind: Literal["transfer"]
    iban: str
    fee: Decimal = field(decimal_places=2, default=Decimal("1.50"))


class Opening(Payload):
    day: Literal["mon", "tue"]
    opens_at: time
    closes_at: time | None
    notes: Json


class Address(Payload):
    """Where something is."""

    street: str = field(min_length=1, max_length=20)
    since: datetime | None
    tags: list[str] = field(default=[], max_length=5, max_items=2)


class Shop(Resource, prefix="sho"):
    name: str
    address: Address
    former: list[Address] = field(default=[], max_items=3)
    openings: dict[str, list[Opening]] = field(default={}, max_items=2)
    payment: Card | Transfer | None
    prices: list[list[Decimal] | None] = field(default=[], decimal_places=2, ge=0)
    counts: dict[str, int] | None

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)
    update = Update(allow=public)
    quote = Custom(allow=public, on="collection", input=Address, output=Opening)


@implements(Shop.create)
async def create(ctx: Context, change: Change[Shop]) -> Shop:
    address = change["address"]
    assert isinstance(address, Address)
    if address.street == "nowhere":
        raise Invalid("There is no such street")
    address.tags.append("new")
    change["address"] = address
    return await change.apply()


@implements(Shop.quote)
async def quote(ctx: Context, address: Address) -> Opening:
    assert address.since is None or address.since.tzinfo is not None
    return Opening(day="mon", opens_at=time(8, 30), closes_at=None, notes={"street": address.street, "n": [1, None]})


@pytest.fixture
async def app(make_settings: Callable[..., Settings]) -> AsyncIterator[Sternpost]:
    contract = Contract("shops", resources=[Shop])
    app = Sternpost(contract, services=[create, quote], settings=make_settings())
    app._write_log = lambda line: None
    async with Client(app):
        yield app


WHOLE: dict[str, Any] = {
    "name": "A",
    "address": {"street": "Road 1", "since": "2026-01-31T13:00:00+01:00"},
    "former": [{"street": "Old", "tags": ["a", "b"]}],
    "openings": {"summer": [{"day": "mon", "opensAt": "08:30", "closesAt": "12:00", "notes": {"x": 1.5}}], "ü": []},
    "payment": {"kind": "transfer", "iban": "X"},
    "prices": [["1", "2.5"], None, []],
    "counts": {"a": 1},
}
SHOWN = {
    "name": "A",
    "address": {"street": "Road 1", "since": "2026-01-31T12:00:00Z", "tags": ["new"]},
    "former": [{"street": "Old", "since": None, "tags": ["a", "b"]}],
    "openings": {
        "summer": [{"day": "mon", "opensAt": "08:30:00", "closesAt": "12:00:00", "notes": {"x": 1.5}}],
        "ü": [],
    },
    "payment": {"kind": "transfer", "iban": "X", "fee": "1.50"},
    "prices": [["1.00", "2.50"], None, []],
    "counts": {"a": 1},
}


async def test_values_come_back_as_declared(app: Sternpost) -> None:
    client = Client(app)
    made = await client.request("POST", "/api/v1/shops", json=WHOLE)
    assert made.status == 201, made.content
    data = made.json()["data"]
    assert {name: data[name] for name in SHOWN} == SHOWN
    found = await client.request("GET", f"/api/v1/shops/{data['id']}")
    assert found.json()["data"] == data
    body = {"payment": {"kind": "card", "number": "1234"}, "counts": None, "former": []}
    changed = await client.request("PATCH", f"/api/v1/shops/{data['id']}", json=body)
    assert changed.json()["data"] == {**data, **body}
    listed = await client.request("GET", "/api/v1/shops")
    assert listed.json()["data"] == [{**data, **body}]


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"address": {"street": ""}}, "address.street", "string_too_short"),
        ({"address": {"street": "x", "more": 1}}, "address.more", "unknown_field"),
        ({"address": {}}, "address.street", "missing"),
        ({"address": None}, "address", "model_type"),
        ({"address": {"street": "x", "tags": ["123456"]}}, "address.tags.0", "string_too_long"),
        ({"address": {"street": "x", "tags": ["1", "2", "3"]}}, "address.tags", "too_long"),
        ({"address": {"street": "a\0"}}, "address.street", "nul_character"),
        ({"former": [{"street": "x"}] * 4}, "former", "too_long"),
        ({"former": [{"street": "x"}, {"street": 5}]}, "former.1.street", "string_type"),
        ({"openings": {"a": [{"day": "sun", "opensAt": "08:00"}]}}, "openings.a.0.day", "literal_error"),
        ({"openings": {"a": [{"day": "mon", "opensAt": "8"}]}}, "openings.a.0.opensAt", "time_format"),
        ({"openings": {"a" * 101: []}}, "openings." + "a" * 64 + ".[key]", "string_too_long"),
        ({"payment": {"kind": "cash"}}, "payment", "union_tag_invalid"),
        ({"payment": {"number": "1234"}}, "payment", "union_tag_not_found"),
        ({"payment": {"kind": "card", "iban": "X"}}, "payment.card.number", "missing"),
        ({"prices": [["-1"]]}, "prices.0.0", "greater_than_equal"),
        ({"prices": [["1.234"]]}, "prices.0.0", "decimal_format"),
        ({"counts": {"a": 1.5}}, "counts.a", "int_type"),
        ({"counts": {"a": None}}, "counts.a", "int_type"),
    ],
)
async def test_what_does_not_fit_is_told(app: Sternpost, changes: dict[str, Any], path: str, code: str) -> None:
    answer = await Client(app).request("POST", "/api/v1/shops", json={**WHOLE, **changes})
    assert answer.status == 400, answer.content
    details = [(detail["path"], detail["code"]) for detail in answer.json()["error"]["details"]]
    assert (path, code) in details, details


async def test_long_numbers_in_free_json_keep_their_digits(app: Sternpost) -> None:
    client = Client(app)
    long = "12345678901234567890123.4567890123456789"
    text = '{"name":"A","address":{"street":"x"},"openings":{"a":[{"day":"mon","opensAt":"08:00","notes":[LONG]}]}}'.replace(
        "LONG", long
    )
    made = await client.request(
        "POST", "/api/v1/shops", content=text.encode(), headers={"content-type": "application/json"}
    )
    assert made.status == 201, made.content
    assert long in made.content.decode()
    found = await client.request("GET", f"/api/v1/shops/{made.json()['data']['id']}")
    assert long in found.content.decode()


async def test_an_author_has_instances(app: Sternpost) -> None:
    async with app.data(Database) as db:
        shops = Table(db, Shop)
        address = Address(street="Own", since=datetime(2026, 1, 1, tzinfo=UTC))
        made = await shops.create(
            {
                "name": "B",
                "address": address,
                "payment": Card(number="9999"),
                "openings": {"a": [Opening(day="tue", opens_at=time(7), closes_at=None, notes=None)]},
                "prices": [[Decimal("1.5")]],
            }
        )
        found = await shops.get(made.id)
        assert found.address == Address(street="Own", since=datetime(2026, 1, 1, tzinfo=UTC), tags=[])
        assert isinstance(found.payment, Card)
        assert (found.payment.kind, found.payment.number) == ("card", "9999")
        assert found.openings["a"][0].opens_at == time(7)
        assert (found.prices, found.counts, found.former) == ([[Decimal("1.50")]], None, [])
        for wrong, said in (
            ({"address": {"street": "x"}}, "takes Address"),
            ({"address": Address(street="x" * 21)}, "within the limits"),
            ({"address": Address(since=None)}, "no value for street"),
            ({"former": [address] * 4}, "takes 0 to 3 items"),
            ({"payment": address}, "takes Card or Transfer"),
            ({"counts": {1: 1}}, "each name has to be a str"),
            ({"counts": {"a": 2**63}}, "does not fit"),
            ({"prices": [[Decimal("1.555")]]}, "within the limits"),
            ({"prices": "x"}, "takes list"),
        ):
            with pytest.raises((TypeError, ValueError), match=said):
                await shops.update(made.id, wrong)


async def test_a_custom_operation_takes_and_gives_them(app: Sternpost) -> None:
    answer = await Client(app).request("POST", "/api/v1/shops/quote", json={"street": "Road"})
    assert answer.json()["data"] == {
        "day": "mon",
        "opensAt": "08:30:00",
        "closesAt": None,
        "notes": {"street": "Road", "n": [1, None]},
    }


async def test_what_a_row_holds_is_checked_and_completed(app: Sternpost) -> None:
    client = Client(app)
    made = (await client.request("POST", "/api/v1/shops", json=WHOLE)).json()["data"]

    async def stored(text: str) -> Any:
        async with app.data(Database) as db, db.transaction():
            await db.execute("UPDATE shops SET address = :address", address=text)
        return await client.request("GET", f"/api/v1/shops/{made['id']}")

    older = await stored('{"street": "x", "gone": 1}')
    assert older.json()["data"]["address"] == {"street": "x", "since": None, "tags": []}
    for text in ('{"tags": []}', '{"street": 5}', '"x"', '{"street": "x", "since": "soon"}'):
        broken = await stored(text)
        assert broken.status == 500, text
        assert broken.json()["error"]["code"] == "VALUE_NOT_REPRESENTABLE"

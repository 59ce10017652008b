"""Filters over lists, without the case of letters, over rows that are referred to, and joined by or."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Literal
from urllib.parse import quote

import pytest

from sternpost import (
    Browse,
    Contract,
    Create,
    Database,
    One,
    Read,
    Resource,
    Settings,
    Sternpost,
    Table,
    field,
    public,
    related,
    scope,
    this,
)
from sternpost.testing import Client


class Owner(Resource, prefix="own", owner="id"):
    name: str = field(filter=True)
    secret: str = field(filter=True, read="secrets")
    hidden: bool = field(default=False)

    read = Read(allow=~this.hidden.eq(True) | scope("all"))
    create = Create(allow=public)


class Pet(Resource, prefix="pet"):
    owner: One[Owner] | None
    name: str = field(filter=True)
    tags: list[str] = field(default=[], filter=True)
    numbers: list[int] | None = field(filter=True)
    prices: list[Decimal] = field(default=[], decimal_places=2, filter=["hasAny"])
    kind: Literal["cat", "dog"] = field(default="cat", filter=True)
    buddy: One[Pet] | None

    browse = Browse(
        allow=public,
        filter=["owner.name", related("owner.secret"), related("buddy.owner.name", all=True)],
        or_groups=2,
    )
    read = Read(allow=public)
    create = Create(allow=public)


@pytest.fixture
async def app(make_settings: Callable[..., Settings]) -> AsyncIterator[Sternpost]:
    app = Sternpost(Contract("pets", resources=[Owner, Pet]), settings=make_settings())
    app._write_log = lambda line: None
    async with Client(app):
        async with app.data(Database) as db:
            owners, pets = Table(db, Owner), Table(db, Pet)
            ada = await owners.create({"name": "Ada", "secret": "x"})
            bob = await owners.create({"name": "Bob", "secret": "y", "hidden": True})
            rex = await pets.create(
                {
                    "name": "Rex",
                    "owner": {"connect": ada},
                    "tags": ["big", "it's, so"],
                    "numbers": [1, 2],
                    "kind": "dog",
                }
            )
            await pets.create(
                {"name": "Tom", "owner": {"connect": bob}, "tags": ["small"], "numbers": [], "buddy": {"connect": rex}}
            )
            tim = await pets.create({"name": "tim", "tags": ["big", "small"], "prices": [Decimal("1.50"), Decimal(2)]})
            await pets.create({"name": "TÖM", "buddy": {"connect": tim}, "numbers": [2, 3]})
        yield app


async def names(app: Sternpost, query: str, *scopes: str) -> str:
    client = Client(app)
    token = client.token("ada", *scopes) if scopes else None
    answer = await client.request("GET", f"/api/v1/pets?{query}", token=token)
    assert answer.status == 200, answer.content
    return " ".join(item["name"] for item in answer.json()["data"])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("tags[has]=big", "Rex tim"),
        ("tags[hasAll]=big,small", "tim"),
        ("tags[hasAny]=small,it's\\, so", "Rex Tom tim"),
        ("tags[has]=it's, so", "Rex"),
        ("tags[has]=Big", ""),
        ("numbers[has]=2", "Rex TÖM"),
        ("numbers[hasAll]=2,3", "TÖM"),
        ("numbers[hasAny]=1,3", "Rex TÖM"),
        ("numbers[isNull]=true", "tim"),
        ("prices[hasAny]=1.5,7", "tim"),
        ("prices[hasAny]=2", "tim"),
        ("name[iEq]=TIM", "tim"),
        ("name[iContains]=T", "Tom tim TÖM"),
        ("name[iStartsWith]=ti", "tim"),
        ("name[iEq]=töm", ""),
        ("owner.name=Ada", "Rex"),
        ("owner.name[iContains]=A", "Rex"),
        ("owner.name=Bob", ""),
        ("owner.name[ne]=Ada", ""),
        ("buddy.owner.name=Ada", "Tom"),
        ("or.1.name=Rex&or.2.tags[has]=small", "Rex Tom tim"),
        ("or.1.name=Rex&or.1.tags[has]=small&or.b.kind=cat&or.b.numbers[has]=3", "TÖM"),
        ("or.1.owner.name=Ada&or.2.name=tim&kind=dog", "Rex"),
    ],
)
async def test_what_fits_is_found(app: Sternpost, query: str, found: str) -> None:
    assert await names(app, quote(query, safe="[]=&,.\\'")) == found


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("tags=big", "unknown_parameter", "has no filter 'eq'; allowed are has, hasAny, hasAll"),
        ("prices[hasAny]=1.5,x", "invalid_parameter", "decimal number"),
        ("owner.secret=x", "unknown_parameter", "no such parameter"),
        ("owner.hidden=true", "unknown_parameter", "takes no parameters"),
        ("buddy.name=x", "unknown_parameter", "takes no parameters"),
        ("or.1.name=a&or.2.name=b&or.3.name=c", "invalid_parameter", "At most 2 groups"),
        (
            "&".join(f"or.1.name[{o}]={n}" for o in ("eq", "ne", "contains", "iEq") for n in "a")
            + "".join(
                f"&or.2.{f}[{o}]=a"
                for f in ("name", "owner.name", "buddy.owner.name")
                for o in ("eq", "ne", "contains", "startsWith", "iEq", "iContains", "iStartsWith")
            ),
            "invalid_parameter",
            "at most 20 filters",
        ),
        ("or.1.nothing=a", "unknown_parameter", "no such parameter"),
        ("or.1.or.2.name=a", "unknown_parameter", "no such parameter"),
        ("or.1.secret.name=a", "unknown_parameter", "no such parameter"),
    ],
)
async def test_what_is_not_allowed_is_told(app: Sternpost, query: str, code: str, said: str) -> None:
    answer = await Client(app).request("GET", f"/api/v1/pets?{query}")
    assert answer.status == 400, answer.content
    details = answer.json()["error"]["details"]
    assert [detail["code"] for detail in details][:1] == [code], details
    assert said in details[0]["message"], details


async def test_only_who_may_read_a_row_or_a_field_finds_by_it(app: Sternpost) -> None:
    assert await names(app, "owner.name=Bob", "all", "secrets") == "Tom"
    assert await names(app, "owner.secret=y", "all", "secrets") == "Tom"
    assert await names(app, "owner.secret=y", "secrets") == ""


async def test_a_cursor_is_bound_to_its_filters(app: Sternpost) -> None:
    client = Client(app)
    query = "or.1.tags[has]=small&or.2.tags[has]=big&pageSize=1&cursor="
    first = (await client.request("GET", f"/api/v1/pets?{query}")).json()
    more = first["meta"]["nextCursor"]
    assert await names(app, f"{query}{more}") == "Tom"
    answer = await client.request("GET", f"/api/v1/pets?or.1.tags[has]=small&or.2.name=big&pageSize=1&cursor={more}")
    assert answer.json()["error"]["details"][0]["code"] == "invalid_cursor"


async def test_the_data_client_finds_by_lists_too(app: Sternpost) -> None:
    async with app.data(Database) as db:
        pets = Table(db, Pet)
        assert await pets.count({"tags": {"has": "big"}}) == 2
        assert await pets.count({"NOT": {"numbers": {"hasAny": [2]}}}) == 2
        assert await pets.count({"prices": {"hasAll": [Decimal("1.5"), Decimal(2)]}}) == 1
        with pytest.raises(TypeError, match="has, hasAny, hasAll, isNull"):
            await pets.count({"tags": {"eq": ["big"]}})
        with pytest.raises(TypeError, match="takes str"):
            await pets.count({"tags": {"has": 5}})

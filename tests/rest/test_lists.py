"""Lists over REST: cursors, chosen fields, and included lists with their own filter, sort and limit."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from sternpost import Browse, Contract, Create, Many, One, Resource, Settings, Sternpost, many, one, public
from sternpost.storage.sql.reader import SqlReader
from sternpost.storage.sql.statement import Statement
from sternpost.testing import Client
from tests.support.shop import Shop


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SQL of every statement that is sent."""
    texts: list[str] = []
    fetch = SqlReader._fetch  # pyright: ignore[reportPrivateUsage]

    async def noted(self: SqlReader, statement: Statement, *args: Any, **options: Any) -> Any:
        texts.append(statement.text)
        return await fetch(self, statement, *args, **options)

    monkeypatch.setattr(SqlReader, "_fetch", noted)
    return texts


async def products(shop: Shop, count: int) -> list[dict[str, Any]]:
    return [await shop.product(priceCents=number // 3, stock=number % 2) for number in range(count)]


async def walk(client: Client, query: str, **more: Any) -> list[dict[str, Any]]:
    """A whole list by its cursors."""
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        answer = await client.get(f"/api/v1/products?{query}&cursor={cursor}", **more)
        assert answer.status == 200, answer.content
        rows += answer.json()["data"]
        cursor = answer.json()["meta"]["nextCursor"]
    return rows


@pytest.mark.parametrize("sort", ["", "sort=-priceCents", "sort=stock,-priceCents", "sort=-name,stock&stock=1"])
async def test_cursors_give_the_list_that_pages_give(client: Client, shop: Shop, sort: str) -> None:
    await products(shop, 17)
    whole = (await client.get(f"/api/v1/products?pageSize=100&{sort}")).json()["data"]
    assert await walk(client, f"pageSize=3&{sort}") == whole


async def test_a_list_begins_again_where_it_began(client: Client, shop: Shop) -> None:
    """What was asked for before is kept, but not the place where it went on."""
    made = await products(shop, 5)
    first = await walk(client, "pageSize=2")
    assert [row["id"] for row in first] == [row["id"] for row in made]
    assert await walk(client, "pageSize=2") == first


async def test_what_a_page_by_cursor_tells(client: Client, shop: Shop) -> None:
    await products(shop, 5)
    first = (await client.get("/api/v1/products?pageSize=2&cursor=")).json()["meta"]
    assert set(first) == {"pageSize", "nextCursor", "requestId"}
    counted = (await client.get(f"/api/v1/products?pageSize=2&count=true&cursor={first['nextCursor']}")).json()["meta"]
    assert (counted["totalCount"], counted["pageSize"]) == (5, 2)
    last = await client.get(f"/api/v1/products?pageSize=2&cursor={counted['nextCursor']}")
    assert (len(last.json()["data"]), last.json()["meta"]["nextCursor"]) == (1, None)
    assert "link" not in last.headers


async def test_a_page_behind_the_last_row_tells_how_many_there_are(client: Client, shop: Shop) -> None:
    *_, last = await products(shop, 3)
    cursor: str = (await client.get("/api/v1/products?pageSize=2&cursor=")).json()["meta"]["nextCursor"]
    assert (await client.delete(f"/api/v1/products/{last['id']}", token=shop.admin)).status == 204
    page = (await client.get(f"/api/v1/products?pageSize=2&count=true&cursor={cursor}")).json()
    assert (page["data"], page["meta"]["totalCount"], page["meta"]["nextCursor"]) == ([], 2, None)


async def test_a_page_by_number_tells_where_to_go_on(client: Client, shop: Shop) -> None:
    rows = await products(shop, 5)
    page = await client.get("/api/v1/products?page=2&pageSize=2&sort=-name")
    meta = page.json()["meta"]
    assert {name: meta[name] for name in ("page", "pageSize", "totalCount", "totalPages")} == {
        "page": 2,
        "pageSize": 2,
        "totalCount": 5,
        "totalPages": 3,
    }
    link, _, relation = page.headers["link"].partition("; ")
    assert relation == 'rel="next"'
    address = link.removeprefix("<").removesuffix(">")
    assert parse_qs(urlsplit(address).query) == {
        "pageSize": ["2"],
        "sort": ["-name"],
        "cursor": [meta["nextCursor"]],
    }
    assert [row["id"] for row in (await client.get(address)).json()["data"]] == [rows[0]["id"]]
    assert "nextCursor" not in (await client.get("/api/v1/products?pageSize=5")).json()["meta"]


async def test_a_list_by_cursor_is_not_counted(client: Client, shop: Shop, sent: list[str]) -> None:
    await products(shop, 3)
    sent.clear()
    await walk(client, "pageSize=2")
    assert len(sent) == 2
    assert not any("count(" in text for text in sent)


async def test_a_cursor_that_is_not_this_lists_own_is_400(client: Client, shop: Shop) -> None:
    await products(shop, 5)
    address = "/api/v1/products?pageSize=2&sort=name"
    cursor: str = (await client.get(address)).json()["meta"]["nextCursor"]
    await shop.user(), await shop.user()
    lists = [
        "users?pageSize=1",
        "products?pageSize=2",
        "products?pageSize=2&sort=-name",
        "products?pageSize=2&sort=name&stock[gte]=0",
    ]
    others = {
        query: (await client.get(f"/api/v1/{query}&cursor=", token=shop.admin)).json()["meta"]["nextCursor"]
        for query in lists
    }
    assert all(others.values())
    changed = "A" if cursor[3] != "A" else "B"
    wrong = [
        f"{address}&cursor={cursor[:-1]}",
        f"{address}&cursor={cursor[:3]}{changed}{cursor[4:]}",
        f"{address}&cursor={cursor}A",
        f"{address}&cursor={cursor}=",
        f"{address}&cursor=null",
        f"{address}&cursor=%00",
        f"{address}&cursor=%C3%A4%F0%9F%98%80",
        f"{address}&cursor={'A' * 15_000}",
        f"{address}&cursor={base64.urlsafe_b64encode(b'[1, 2]').decode()}",
        f"/api/v1/products?pageSize=2&sort=-name&cursor={cursor}",
        f"/api/v1/products?pageSize=2&cursor={cursor}",
        f"{address}&stock=1&cursor={cursor}",
        *(f"{address}&cursor={other}" for other in others.values()),
        f"{address}&stock[lte]=0&cursor={others['products?pageSize=2&sort=name&stock[gte]=0']}",
    ]
    for query, other in others.items():
        assert (await client.get(f"/api/v1/{query}&cursor={other}", token=shop.admin)).status == 200, (
            "its own list takes it"
        )
    # each spelling of its last bits but its own
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    wrong += [f"{address}&cursor={cursor[:-1]}{letter}" for letter in last if letter != cursor[-1]]
    for query in wrong:
        answer = await client.get(query)
        assert (answer.status, answer.error["code"]) == (400, "VALIDATION_ERROR"), query
        assert [(detail["path"], detail["code"]) for detail in answer.error["details"]] == [
            ("cursor", "invalid_cursor")
        ]
    assert (await client.get(f"{address}&cursor={cursor}")).status == 200
    assert (await client.get(f"/api/v1/products?sort=name&fields=id&pageSize=1&cursor={cursor}")).status == 200


async def test_a_cursor_shows_nothing_of_the_row_it_stands_behind(client: Client, shop: Shop) -> None:
    for name in ("Aaaa", "Bbbb"):
        await shop.product(name=name)
    cursor: str = (await client.get("/api/v1/products?pageSize=1&sort=name")).json()["meta"]["nextCursor"]
    assert b"Aaaa" not in base64.urlsafe_b64decode(cursor + "==")


async def test_a_cursor_of_a_nested_list_belongs_to_its_parent(client: Client, shop: Shop) -> None:
    one, two, product = await shop.user(), await shop.user(), await shop.product()
    for user in (one, one, two, two):
        await shop.order(user, (product, 1))
    mine = f"/api/v1/users/{one['id']}/orders?pageSize=1"
    cursor = (await client.get(mine, token=shop.admin)).json()["meta"]["nextCursor"]
    assert (await client.get(f"{mine}&cursor={cursor}", token=shop.admin)).status == 200
    theirs = f"/api/v1/users/{two['id']}/orders?pageSize=1&cursor={cursor}"
    assert (await client.get(theirs, token=shop.admin)).status == 400
    assert (await client.get(f"/api/v1/orders?pageSize=1&cursor={cursor}", token=shop.admin)).status == 400


@pytest.mark.parametrize(
    ("query", "path"), [("cursor=&page=1", "page"), ("count=false", "count"), ("cursor=&count=1", "count")]
)
async def test_what_does_not_go_together_is_400(client: Client, query: str, path: str) -> None:
    answer = await client.get(f"/api/v1/products?{query}")
    assert (answer.status, answer.error["details"][0]["path"]) == (400, path)


# -- fields


async def test_only_chosen_fields_are_read(client: Client, shop: Shop, sent: list[str]) -> None:
    product, user = await shop.product(), await shop.user()
    order = await shop.order(user, (product, 2))
    sent.clear()
    listed = await client.get("/api/v1/orders?fields=status,items.quantity", token=shop.admin)
    assert listed.json()["data"] == [{"status": "draft", "items": [{"quantity": 2}]}]
    assert len(sent) == 2
    assert not any(name in text for text in sent for name in ("total_cents", "created_at", "unit_price", "product_id"))
    read = await client.get(f"/api/v1/orders/{order['id']}?fields=totalCents", token=shop.admin)
    assert read.json()["data"] == {"totalCents": 2000}
    page = await client.get("/api/v1/orders?fields=id&cursor=", token=shop.admin)
    assert page.json()["data"] == [{"id": order["id"]}]


async def test_a_field_that_is_sorted_by_need_not_be_chosen(client: Client, shop: Shop) -> None:
    await products(shop, 7)
    whole = (await client.get("/api/v1/products?sort=-stock,name&pageSize=100")).json()["data"]
    rows = await walk(client, "sort=-stock,name&pageSize=2&fields=sku")
    assert rows == [{"sku": row["sku"]} for row in whole]


async def test_a_walk_that_includes_relations_need_not_choose_what_it_is_sorted_by(client: Client, shop: Shop) -> None:
    """The keys of the relations are read, too, and so are the values of the order."""
    product, users = await shop.product(), [await shop.user() for _ in range(3)]
    for number in range(7):
        await shop.order(users[number % 3], (product, 1 + number % 4))
    whole = (await client.get("/api/v1/orders?sort=-totalCents&pageSize=100", token=shop.admin)).data
    query = "sort=-totalCents&pageSize=2&fields=status,user.name,items.quantity"
    pages: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(4):
        answer = await client.get(f"/api/v1/orders?{query}&cursor={cursor}", token=shop.admin)
        assert answer.status == 200, answer.content
        pages += answer.data
        cursor = answer.json()["meta"]["nextCursor"]
    assert cursor is None
    names = {user["id"]: user["name"] for user in users}
    assert [(row["user"]["name"], row["items"][0]["quantity"]) for row in pages] == [
        (names[row["userId"]], row["items"][0]["quantity"]) for row in whole
    ]


@pytest.mark.parametrize("name", ["nope", "total_cents", "items.nope", "user.nope", "", "items.", ".id", "id,,status"])
async def test_a_field_that_does_not_exist_is_400_and_names_those_that_do(
    client: Client, shop: Shop, name: str
) -> None:
    answer = await client.get(f"/api/v1/orders?fields={name}", token=shop.admin)
    assert (answer.status, answer.error["details"][0]["path"]) == (400, "fields")
    assert "allowed are" in answer.error["details"][0]["message"]


async def test_fields_name_relations_too(client: Client, shop: Shop) -> None:
    user, product = await shop.user(), await shop.product()
    await shop.order(user, (product, 1))
    named = await client.get("/api/v1/orders?fields=totalCents,user.name", token=shop.admin)
    assert named.json()["data"] == [{"totalCents": 1000, "user": {"name": user["name"]}}]
    whole = await client.get("/api/v1/orders?fields=user", token=shop.admin)
    assert whole.json()["data"] == [{"user": user}]
    kept = await client.get("/api/v1/orders?include=user&fields=id", token=shop.admin)
    assert kept.json()["data"][0]["user"] == user


# -- includes


async def orders_of(client: Client, shop: Shop, user: dict[str, Any], query: str) -> Any:
    answer = await client.get(f"/api/v1/users/{user['id']}?{query}", token=shop.admin)
    assert answer.status == 200, answer.content
    return answer.json()


async def test_an_included_list_has_its_own_filter_sort_and_limit(client: Client, shop: Shop, sent: list[str]) -> None:
    user, other, product = await shop.user(), await shop.user(), await shop.product(stock=100)
    orders = [await shop.order(user, (product, quantity)) for quantity in (3, 1, 2)]
    await shop.order(other, (product, 9))
    await client.post(f"/api/v1/orders/{orders[1]['id']}/place", token=shop.admin)
    found = await orders_of(client, shop, user, "include=orders&orders.status=draft&orders.sort=-totalCents")
    assert [row["totalCents"] for row in found["data"]["orders"]] == [3000, 2000]
    assert "truncated" not in found["meta"]
    found = await orders_of(client, shop, user, "orders.sort=totalCents&orders.limit=2&fields=orders.totalCents")
    assert found["data"] == {"orders": [{"totalCents": 1000}, {"totalCents": 2000}]}
    assert found["meta"]["truncated"] == ["orders"]
    found = await orders_of(client, shop, user, "orders.totalCents[gt]=1000&orders.limit=2")
    assert len(found["data"]["orders"]) == 2
    assert "truncated" not in found["meta"]
    sent.clear()
    listed = await client.get(
        "/api/v1/users?orders.limit=1&orders.items.limit=1&orders.items.product=x&sort=name", token=shop.admin
    )
    assert listed.status == 400
    listed = await client.get("/api/v1/users?orders.limit=1&orders.items.limit=1&sort=name", token=shop.admin)
    assert [len(row["orders"]) for row in listed.json()["data"]] == [1, 1]
    assert len(sent) == 3, "one statement for each relation, however many rows there are"


async def test_policies_hold_for_included_lists(client: Client, shop: Shop) -> None:
    user, product = await shop.user(), await shop.product()
    await shop.order(user, (product, 1))
    reader = client.token("someone", "users:read")
    found = await client.get(f"/api/v1/users/{user['id']}?orders.limit=5&orders.status=draft", token=reader)
    assert found.json()["data"]["orders"] == []


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("orders.nope=1", "orders.nope"),
        ("orders.userId=usr_0191f2b4c5d67e8f90a1b2c3d4e5f607", "orders.userId"),
        ("orders.limit=0", "orders.limit"),
        ("orders.limit=x", "orders.limit"),
        ("orders.limit=1000000", "orders.limit"),
        ("orders.sort=nope", "orders.sort"),
        ("orders.status[contains]=d", "orders.status[contains]"),
        ("orders.status=nope", "orders.status"),
        ("orders.items.sort=quantity", "orders.items.sort"),
        ("orders.user.limit=1", "orders.user.limit"),
        ("nope.limit=1", "nope.limit"),
        ("orders..limit=1", "orders..limit"),
        (".limit=1", ".limit"),
        ("orders.=1", "orders."),
        ("orders.user.orders.user.orders.limit=1", "orders.user.orders.user.orders.limit"),
    ],
)
async def test_wrong_parameters_of_included_lists_are_400(client: Client, shop: Shop, query: str, path: str) -> None:
    answer = await client.get(f"/api/v1/users?{query}", token=shop.admin)
    assert (answer.status, answer.error["details"][0]["path"]) == (400, path)


class Member(Resource, prefix="mem"):
    sent: Many[Letter] = many(by="sender")
    received: Many[Letter] = many(by="receiver")

    browse = Browse(allow=public)
    create = Create(allow=public)


class Letter(Resource, prefix="let"):
    sender: One[Member] = one(filter=True)
    receiver: One[Member] = one(filter=True)

    browse = Browse(allow=public)
    create = Create(allow=public)


async def test_two_lists_of_one_resource_have_the_filters_of_their_own(make_settings: Callable[..., Settings]) -> None:
    """Neither is filtered by the reference that ties it to its row, and each by the other's."""
    contract = Contract("post", resources=[Member, Letter])
    async with Client(Sternpost(contract, settings=make_settings(), write_log=lambda line: None)) as client:
        ada, bob = [(await client.post("/api/v1/members", json={})).data["id"] for _ in range(2)]
        for sender, receiver in ((ada, bob), (ada, ada), (bob, ada)):
            body = {"senderId": sender, "receiverId": receiver}
            assert (await client.post("/api/v1/letters", json=body)).status == 201
        query = f"sent.receiverId={bob}&received.senderId={bob}&fields=id,sent,received"
        listed = await client.get(f"/api/v1/members?{query}")
        assert listed.status == 200, listed.content
        assert [(len(row["sent"]), len(row["received"])) for row in listed.data] == [(1, 1), (0, 0)]
        for wrong in ("sent.senderId", "received.receiverId"):
            answer = await client.get(f"/api/v1/members?{wrong}={ada}")
            assert (answer.status, answer.error["details"][0]["path"]) == (400, wrong)

"""Several operations in one transaction, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sternpost import Browse, Contract, Create, Custom, Payload, Read, Resource, Settings, Sternpost, implements, public
from sternpost.testing import Client
from tests.conftest import LogLines

URL = "/api/v1/$batch"
ADMIN = ["users:admin", "users:read", "users:write", "products:write", "orders:write", "orders:read", "orders:admin"]


def admin(client: Client) -> str:
    return client.token("admin", *ADMIN)


async def count(client: Client, path: str) -> int:
    answer = await client.get(f"/api/v1/{path}", token=admin(client))
    return answer.json()["meta"]["totalCount"]


def user(email: str) -> dict[str, Any]:
    return {"name": "Ada", "email": email}


PRODUCT = {"sku": "LAMP-1", "name": "Lamp", "priceCents": 1250, "stock": 10}


async def test_results_refer_to_earlier_ones(client: Client, log_lines: LogLines) -> None:
    operations = [
        {"as": "user", "operation": "users.create", "body": user("ada@example.com")},
        {"as": "lamp", "operation": "products.create", "body": PRODUCT},
        {
            "as": "order",
            "operation": "orders.create",
            "body": {
                "userId": {"$ref": "user.id"},
                "items": [{"productId": {"$ref": "lamp.id"}, "quantity": 3}],
            },
        },
        {"operation": "orders.place", "id": {"$ref": "order.id"}},
        {"operation": "products.read", "id": {"$ref": "order.items.0.productId"}},
        {"as": "mine", "operation": "orders.browse", "query": {"userId": "nobody", "pageSize": "5"}},
    ]
    refused = await client.post(URL, json={"operations": operations}, token=admin(client))
    assert (refused.status, refused.error["details"][0]["path"]) == (400, "operations.5.userId")
    assert await count(client, "users") == 0

    done = await client.post(URL, json={"operations": operations[:5]}, token=admin(client))
    assert done.status == 200
    assert [result["status"] for result in done.data] == [201, 201, 201, 200, 200]
    made, lamp, order, placed, read = [result["data"] for result in done.data]
    assert order["userId"] == made["id"]
    assert order["items"][0]["productId"] == lamp["id"]
    assert (placed["id"], placed["status"], placed["totalCents"]) == (order["id"], "placed", 3750)
    assert read["stock"] == 7
    assert [result.get("as") for result in done.data] == ["user", "lamp", "order", None, None]
    alone = await client.get(f"/api/v1/orders/{order['id']}", token=admin(client))
    assert alone.data == placed
    line = next(line for line in log_lines.requests if line["path"] == URL and line["status"] == 200)
    assert (line["operation"], line["message"]) == ("$batch", "Batch carried out")


async def test_all_or_nothing(client: Client) -> None:
    operations = [
        {"operation": "users.create", "body": user("ada@example.com")},
        {"operation": "products.create", "body": PRODUCT},
        {"operation": "users.create", "body": user("ada@example.com")},
    ]
    refused = await client.post(URL, json={"operations": operations}, token=admin(client))
    assert (refused.status, refused.error["code"]) == (409, "DUPLICATE")
    assert [detail["path"] for detail in refused.error["details"]] == ["operations.2.email"]
    assert (await count(client, "users"), await count(client, "products")) == (0, 0)


async def test_each_operation_is_under_its_own_policy(client: Client) -> None:
    operations = [
        {"as": "user", "operation": "users.create", "body": user("ada@example.com")},
        {"operation": "users.activate", "id": {"$ref": "user.id"}},
    ]
    anonymous = await client.post(URL, json={"operations": operations})
    assert (anonymous.status, anonymous.error["details"][0]["path"]) == (401, "operations.1")
    reader = await client.post(URL, json={"operations": operations}, token=client.token("someone", "users:read"))
    assert (reader.status, reader.error["code"]) == (403, "FORBIDDEN")
    stranger = await client.post(URL, json={"operations": operations}, token=client.token("someone"))
    assert stranger.status in (403, 404)
    assert await count(client, "users") == 0
    allowed = await client.post(URL, json={"operations": operations[:1]})
    assert allowed.status == 200
    broken = await client.post(URL, json={"operations": operations[:1]}, token="nonsense")
    assert broken.status == 401


async def test_what_is_wrong_with_a_batch(client: Client) -> None:
    async def refused(body: Any) -> list[tuple[str, str]]:
        answer = await client.post(URL, json=body, token=admin(client))
        assert answer.status == 400
        return [(detail["path"], detail["code"]) for detail in answer.error["details"]]

    create = {"operation": "users.create", "body": user("ada@example.com")}
    assert await refused({}) == [("operations", "missing")]
    assert await refused({"operations": []}) == [("operations", "too_short")]
    assert await refused({"operations": [create] * 51}) == [("operations", "too_long")]
    assert await refused({"operations": [create], "more": 1}) == [("more", "extra_forbidden")]
    assert await refused({"operations": [{"operation": "users.explode"}, {"operation": "$batch"}]}) == [
        ("operations.0.operation", "unknown_operation"),
        ("operations.1.operation", "unknown_operation"),
    ]
    assert await refused({"operations": [{**create, "as": "a"}, {**create, "as": "a"}]}) == [
        ("operations.1.as", "duplicate_name")
    ]
    assert await refused({"operations": [{**create, "as": "a.b"}]}) == [("operations.0.as", "string_pattern_mismatch")]
    bodies = [
        {"name": {"$ref": "later.name"}, "email": "a@example.com"},
        {"name": {"$ref": "first.surname"}, "email": "a@example.com"},
        {"name": {"$ref": "first.name.0"}, "email": "a@example.com"},
    ]
    for body in bodies:
        steps = [{**create, "as": "first"}, {"operation": "users.create", "body": body}]
        assert await refused({"operations": steps}) == [("operations.1.name", "unknown_reference")]
    without_body = await client.post(URL, json={"operations": [{"operation": "users.create"}]}, token=admin(client))
    alone = await client.request("POST", "/api/v1/users", content=b"", headers={"content-type": "application/json"})
    assert [d["code"] for d in without_body.error["details"]] == [d["code"] for d in alone.error["details"]]
    wrong = {"name": "", "email": "no"}
    alone = await client.post("/api/v1/users", json=wrong)
    expected = [(f"operations.0.{d['path']}", d["code"]) for d in alone.error["details"]]
    assert await refused({"operations": [{"operation": "users.create", "body": wrong}]}) == expected
    malformed = await client.request("POST", URL, content=b"{", headers={"content-type": "application/json"})
    assert malformed.status == 400
    assert (await client.get(URL)).status == 405
    text = await client.request("POST", URL, content=b"{}", headers={"content-type": "text/plain"})
    assert text.status == 415
    assert await count(client, "users") == 0


class Note(Resource, prefix="not"):
    """Something written down."""

    text: str

    browse = Browse(allow=public)
    read = Read(allow=public)
    create = Create(allow=public)


class Total(Payload):
    """How many there are."""

    notes: int


class Counted(Resource, prefix="cnt"):
    """Counts notes."""

    text: str

    total = Custom(method="GET", on="collection", output=Total, allow=public)


@implements(Counted.total)
async def total(ctx: Any) -> Total:
    return Total(notes=await ctx.repository(Note).count())


async def test_a_custom_read_is_called_by_itself(make_settings: Callable[..., Settings], log_lines: LogLines) -> None:
    contract = Contract("notes", resources=[Note, Counted], batch_max=2)
    async with Client(Sternpost(contract, services=[total], settings=make_settings(), write_log=log_lines)) as client:
        refused = await client.post(URL, json={"operations": [{"operation": "counteds.total"}]})
        assert (refused.status, refused.error["details"][0]["code"]) == (400, "not_in_a_batch")
        steps = [{"as": "a", "operation": "notes.create", "body": {"text": "x"}}]
        steps.append({"operation": "notes.browse", "query": {"page": "1"}})
        done = await client.post(URL, json={"operations": steps})
        assert done.data[1]["meta"]["totalCount"] == 1
        assert done.data[1]["data"] == [done.data[0]["data"]]
        too_many = await client.post(URL, json={"operations": steps * 2})
        assert too_many.status == 400


async def test_without_batches(make_settings: Callable[..., Settings], log_lines: LogLines) -> None:
    contract = Contract("notes", resources=[Note], batch_max=0)
    async with Client(Sternpost(contract, settings=make_settings(), write_log=log_lines)) as client:
        assert (await client.post(URL, json={"operations": []})).status == 404
        assert URL not in (await client.get("/openapi.json")).json()["paths"]


async def test_batches_at_the_same_time(client: Client) -> None:
    """Rows of a batch that fails are never there."""
    good = {"operations": [{"operation": "users.create", "body": user(f"a{n}@example.com")} for n in range(5)]}
    bad = {"operations": [*good["operations"][:4], {"operation": "users.delete", "id": "usr_" + "0" * 32}]}
    answers = await asyncio.gather(
        *(client.post(URL, json=body, token=admin(client)) for body in (bad, good, bad, bad))
    )
    assert answers[1].status == 200
    assert all(answers[index].status in (404, 409) for index in (0, 2, 3))  # 409 where the good one was first
    assert await count(client, "users") == 5

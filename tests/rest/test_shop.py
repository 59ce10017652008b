"""The shop over REST: every form of address, every status, the bodies exactly."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sternpost.testing import Client
from tests.conftest import LogLines
from tests.support.shop import Shop

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")


async def test_create_a_user_needs_no_token(client: Client) -> None:
    answer = await client.post("/api/v1/users", json={"name": "Alice", "email": "alice@example.com"})
    assert answer.status == 201
    assert set(answer.json()) == {"data", "meta"}
    assert list(answer.data) == ["id", "name", "email", "status", "createdAt", "updatedAt"]
    assert re.fullmatch(r"usr_[0-9a-f]{32}", answer.data["id"])
    assert answer.data["status"] == "pending"
    assert INSTANT.fullmatch(answer.data["createdAt"])
    assert re.fullmatch(r"req_[0-9a-f]{16}", answer.json()["meta"]["requestId"])
    assert answer.headers["location"] == f"/api/v1/users/{answer.data['id']}"
    assert answer.headers["x-request-id"] == answer.json()["meta"]["requestId"]


async def test_every_problem_of_an_input_is_named(client: Client) -> None:
    body = {
        "name": "",
        "email": "no",
        "status": "active",
        "id": "usr_1",
        "createdAt": "2026-01-01T00:00:00Z",
        "nickname": "Al",
    }
    answer = await client.post("/api/v1/users", json=body)
    assert answer.status == 400
    assert answer.error["code"] == "VALIDATION_ERROR"
    assert answer.error["message"] == "Invalid input"
    found = {(detail["path"], detail["code"]) for detail in answer.error["details"]}
    assert found == {
        ("name", "string_too_short"),
        ("email", "string_pattern_mismatch"),
        ("status", "read_only"),
        ("id", "read_only"),
        ("createdAt", "read_only"),
        ("nickname", "unknown_field"),
    }


async def test_a_taken_email_is_409_and_names_the_field(client: Client, shop: Shop) -> None:
    await shop.user(email="same@example.com")
    answer = await client.post("/api/v1/users", json={"name": "B", "email": "same@example.com"})
    assert (answer.status, answer.error["code"]) == (409, "DUPLICATE")
    assert answer.error["details"] == [{"path": "email", "code": "duplicate", "message": "This email is already taken"}]
    assert "constraint" not in answer.content.decode().lower()


async def test_a_user_reads_and_changes_only_themself(client: Client, shop: Shop) -> None:
    alice, bob = await shop.user(), await shop.user()
    address, mine, theirs = f"/api/v1/users/{alice['id']}", shop.token(alice), shop.token(bob)
    assert (await client.get(address)).status == 401
    assert (await client.get(address, token=mine)).data == alice
    assert (await client.get(address, token=theirs)).status == 404
    assert (await client.patch(address, json={"name": "X"}, token=theirs)).status == 404
    assert (await client.delete(address, token=theirs)).status == 404
    assert (await client.delete(address, token=mine)).status == 403
    assert (await client.post(address + "/activate", token=mine)).status == 403
    assert (await client.get("/api/v1/users", token=mine)).status == 403
    assert (await client.get(address, token=client.token("x", "users:read"))).status == 200
    assert (await client.patch(address, json={"name": "X"}, token=client.token("x", "users:read"))).status == 403
    assert (await client.patch(address, json={"name": "X"}, token=client.token("x", "users:write"))).status == 200
    assert (await client.delete(address, token=shop.admin)).status == 204
    assert (await client.get(address, token=shop.admin)).status == 404


async def test_put_replaces_and_patch_merges(client: Client, shop: Shop) -> None:
    product = await shop.product(stock=7)
    address = f"/api/v1/products/{product['id']}"
    patched = await client.patch(address, json={"name": "New"}, token=shop.admin)
    assert patched.data == {**product, "name": "New"}
    merged = await client.patch(
        address, content=b'{"stock": 8}', headers={"content-type": "application/merge-patch+json"}, token=shop.admin
    )
    assert merged.data["stock"] == 8
    assert (await client.patch(address, json={}, token=shop.admin)).data == merged.data
    null = await client.patch(address, json={"name": None}, token=shop.admin)
    assert (null.status, null.error["details"][0]["path"]) == (400, "name")
    replaced = await client.put(address, json={"sku": "S", "name": "N", "priceCents": 5}, token=shop.admin)
    assert replaced.data == {"id": product["id"], "sku": "S", "name": "N", "priceCents": 5, "stock": 0}
    assert (await client.put(address, json={"sku": "S"}, token=shop.admin)).status == 400


async def test_an_order_from_draft_to_shipped(client: Client, shop: Shop) -> None:
    user, product = await shop.user(), await shop.product(priceCents=250, stock=5)
    mine = shop.token(user)
    order = await shop.order(user, (product, 2))
    assert list(order) == ["id", "userId", "status", "totalCents", "createdAt", "updatedAt", "items"]
    assert (order["userId"], order["status"], order["totalCents"]) == (user["id"], "draft", 500)
    assert [set(item) for item in order["items"]] == [{"id", "productId", "quantity", "unitPriceCents"}]
    address = f"/api/v1/orders/{order['id']}"
    assert (await client.post(address + "/pay", token=mine)).status == 409
    placed = await client.post(address + "/place", token=mine)
    assert (placed.status, placed.data["status"]) == (200, "placed")
    again = await client.post(address + "/place", token=mine)
    assert (again.status, again.error["code"]) == (409, "STATE_CONFLICT")
    assert again.error["message"] == "The status of the order is placed; this operation requires draft"
    assert (await client.get(f"/api/v1/products/{product['id']}")).data["stock"] == 3
    assert (await client.patch(address, json={"items": []}, token=mine)).status == 409
    assert (await client.post(address + "/pay", token=mine)).data["status"] == "paid"
    assert (await client.post(address + "/ship", token=mine)).status == 403
    assert (await client.post(address + "/ship", token=shop.admin)).data["status"] == "shipped"
    assert (await client.post(address + "/cancel", token=mine)).status == 409


async def test_placing_takes_all_items_or_nothing(client: Client, shop: Shop) -> None:
    user, plenty, scarce = await shop.user(), await shop.product(stock=100), await shop.product(stock=1)
    order = await shop.order(user, (plenty, 3), (scarce, 2))
    answer = await client.post(f"/api/v1/orders/{order['id']}/place", token=shop.token(user))
    assert (answer.status, answer.error["code"]) == (422, "NOT_ENOUGH_STOCK")
    assert [detail["path"] for detail in answer.error["details"]] == ["items.1.quantity"]
    assert (await client.get(f"/api/v1/products/{plenty['id']}")).data["stock"] == 100
    assert (await client.get(f"/api/v1/orders/{order['id']}", token=shop.token(user))).data["status"] == "draft"


async def test_an_order_that_holds_stock_cannot_be_deleted(client: Client, shop: Shop) -> None:
    user, product = await shop.user(), await shop.product(stock=4)
    order = await shop.order(user, (product, 3))
    address, mine = f"/api/v1/orders/{order['id']}", shop.token(user)
    await client.post(address + "/place", token=mine)
    assert (await client.delete(address, token=mine)).status == 409
    await client.post(address + "/cancel", token=mine)
    assert (await client.delete(address, token=mine)).status == 204
    assert (await client.get(f"/api/v1/products/{product['id']}")).data["stock"] == 4


async def test_what_clients_put_anywhere_does_not_carry_addresses_into_logs(
    client: Client, shop: Shop, log_lines: LogLines
) -> None:
    await client.get("/api/v1/users/eve@leak.example", token=shop.admin)
    await client.get("/api/v1/users?eve@leak.example=1&sort=eve@leak.example", token=shop.admin)
    await client.post("/api/v1/users", json={"eve@leak.example": 1})
    await client.get("/eve@leak.example")
    assert b"leak.example" not in b"".join(log_lines.raw)


async def test_an_answer_has_a_bound_however_relations_lead_back(client: Client, shop: Shop) -> None:
    user, product = await shop.user(), await shop.product()
    for _ in range(40):
        await shop.order(user, (product, 1))
    small = await client.get("/api/v1/orders?pageSize=2&include=user.orders", token=shop.token(user))
    assert len(small.data[1]["user"]["orders"]) == 40
    large = await client.get("/api/v1/orders?pageSize=100&include=user.orders.user.orders", token=shop.token(user))
    assert (large.status, large.error["details"][0]["code"]) == (400, "answer_too_large")


async def test_the_problems_listed_have_a_bound(client: Client) -> None:
    for keys, shown in ((150, 101), (50_000, 1)):
        answer = await client.post("/api/v1/users", json={f"k{number}": 1 for number in range(keys)})
        assert (answer.status, len(answer.error["details"])) == (400, shown)
    long = await client.post("/api/v1/users", json={"k" * 5000: 1})
    assert max(len(detail["path"]) for detail in long.error["details"]) == 64


async def test_cancelling_gives_the_stock_back(client: Client, shop: Shop) -> None:
    user, product = await shop.user(), await shop.product(stock=4)
    order = await shop.order(user, (product, 3))
    await client.post(f"/api/v1/orders/{order['id']}/place", token=shop.token(user))
    assert (await client.post(f"/api/v1/orders/{order['id']}/cancel", token=shop.token(user))).data[
        "status"
    ] == "cancelled"
    assert (await client.get(f"/api/v1/products/{product['id']}")).data["stock"] == 4


async def test_items_are_validated_and_priced_by_the_server(client: Client, shop: Shop) -> None:
    user, product = await shop.user(), await shop.product()
    body = {
        "items": [
            {"productId": product["id"], "quantity": 0},
            {"productId": "x", "quantity": 1000, "unitPriceCents": 1},
        ]
    }
    answer = await client.post("/api/v1/orders", json=body, token=shop.token(user))
    assert answer.status == 400
    found = {(detail["path"], detail["code"]) for detail in answer.error["details"]}
    assert found == {
        ("items.0.quantity", "greater_than_equal"),
        ("items.1.productId", "string_pattern_mismatch"),
        ("items.1.quantity", "less_than_equal"),
        ("items.1.unitPriceCents", "read_only"),
    }
    missing = {"items": [{"productId": "prd_" + "0" * 32, "quantity": 1}]}
    assert (await client.post("/api/v1/orders", json=missing, token=shop.token(user))).status == 422


async def test_nobody_orders_in_the_name_of_another(client: Client, shop: Shop) -> None:
    alice, bob = await shop.user(), await shop.user()
    body = {"userId": bob["id"], "items": []}
    assert (await client.post("/api/v1/orders", json=body, token=shop.token(alice))).status == 403
    assert (await client.post("/api/v1/orders", json=body, token=shop.admin)).status == 201
    assert (await client.post("/api/v1/orders", json={"items": []}, token=client.token("nobody"))).status in (403, 422)
    assert (await client.post("/api/v1/orders", json={"items": []})).status == 401


async def test_lists_show_only_own_orders(client: Client, shop: Shop) -> None:
    alice, bob, product = await shop.user(), await shop.user(), await shop.product()
    first, second = await shop.order(alice, (product, 1)), await shop.order(bob, (product, 2))
    listed = await client.get("/api/v1/orders", token=shop.token(alice))
    assert [order["id"] for order in listed.data] == [first["id"]]
    assert listed.json()["meta"] | {"requestId": ""} == {
        "page": 1,
        "pageSize": 20,
        "totalCount": 1,
        "totalPages": 1,
        "requestId": "",
    }
    everything = await client.get("/api/v1/orders?sort=createdAt", token=shop.admin)
    assert [order["id"] for order in everything.data] == [first["id"], second["id"]]
    nested = await client.get(f"/api/v1/users/{alice['id']}/orders", token=shop.token(alice))
    assert nested.data == listed.data
    assert (await client.get(f"/api/v1/users/{bob['id']}/orders", token=shop.token(alice))).status == 404
    assert (await client.get(f"/api/v1/orders/{second['id']}?include=user", token=shop.token(alice))).status == 404


async def test_pages_filters_and_sorts(client: Client, shop: Shop) -> None:
    for number in range(5):
        await shop.product(
            sku=f"P{number}", name=f"{'Größe' if number % 2 else 'Size'} {number}", priceCents=number * 100
        )
    page = await client.get("/api/v1/products?page=2&pageSize=2&sort=-priceCents")
    assert [product["priceCents"] for product in page.data] == [200, 100]
    assert (page.json()["meta"]["totalCount"], page.json()["meta"]["totalPages"]) == (5, 3)
    assert [
        p["sku"] for p in (await client.get("/api/v1/products?priceCents[gte]=100&priceCents[lt]=300&sort=sku")).data
    ] == ["P1", "P2"]
    assert [p["sku"] for p in (await client.get("/api/v1/products?name[contains]=%C3%B6%C3%9F&sort=sku")).data] == [
        "P1",
        "P3",
    ]
    assert [
        p["sku"] for p in (await client.get("/api/v1/products?name[startsWith]=Size&sku[in]=P0,P1,P2&sort=-sku")).data
    ] == ["P2", "P0"]
    assert [p["sku"] for p in (await client.get("/api/v1/products?sku[ne]=P0&sort=sku&pageSize=1")).data] == ["P1"]
    beyond = await client.get("/api/v1/products?page=9")
    assert (beyond.data, beyond.json()["meta"]["totalCount"]) == ([], 5)


@pytest.mark.parametrize(
    ("query", "path", "code"),
    [
        ("bogus=1", "bogus", "unknown_parameter"),
        ("pageSize=101", "pageSize", "invalid_parameter"),
        ("page=0", "page", "invalid_parameter"),
        ("page=x", "page", "invalid_parameter"),
        ("sort=stockk", "sort", "invalid_parameter"),
        ("include=nothing", "include", "unknown_parameter"),
        ("priceCents[contains]=1", "priceCents[contains]", "unknown_parameter"),
        ("priceCents=1e3", "priceCents", "invalid_parameter"),
        ("page=1&page=2", "page", "repeated_parameter"),
        ("name=%00", "name", "invalid_parameter"),
        ("%ff=1", "", "malformed_query"),
        ("access_token=abc", "access_token", "unknown_parameter"),
        ("priceCents=" + "9" * 30, "priceCents", "invalid_parameter"),
    ],
)
async def test_wrong_parameters_are_400(client: Client, query: str, path: str, code: str) -> None:
    answer = await client.get(f"/api/v1/products?{query}")
    assert answer.status == 400
    assert (answer.error["details"][0]["path"], answer.error["details"][0]["code"]) == (path, code)
    if code == "unknown_parameter" and "[" not in path:
        assert "page, pageSize, sort, sku" in answer.error["details"][0]["message"]


async def test_include_reads_along(client: Client, shop: Shop, log_lines: LogLines) -> None:
    user, product = await shop.user(), await shop.product()
    order = await shop.order(user, (product, 2))
    answer = await client.get(f"/api/v1/orders/{order['id']}?include=user,items.product", token=shop.token(user))
    assert answer.data["user"] == user
    assert answer.data["items"][0]["product"]["id"] == product["id"]
    assert log_lines.requests[-1]["statements"] == 4
    # who may see the order by scope, but not its user, gets the order without the user
    foreign = await client.get(f"/api/v1/orders/{order['id']}?include=user", token=client.token("x", "orders:read"))
    assert foreign.data["user"] is None


async def test_head_options_and_methods(client: Client, shop: Shop) -> None:
    product = await shop.product()
    address = f"/api/v1/products/{product['id']}"
    head = await client.request("HEAD", address)
    assert (head.status, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > 50
    options = await client.request("OPTIONS", address)
    assert (options.status, options.headers["allow"]) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH, PUT")
    wrong = await client.post(address, json={})
    assert (wrong.status, wrong.error["code"], wrong.headers["allow"]) == (
        405,
        "METHOD_NOT_ALLOWED",
        "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
    )
    assert (await client.get("/api/v1/nothing")).status == 404
    assert (await client.get("/api/v1/products/")).status == 404


@pytest.mark.parametrize("slash", ["%2f", "%2F"])
async def test_an_encoded_slash_is_no_slash(client: Client, shop: Shop, slash: str) -> None:
    """A proxy that lets some addresses through would see another than is served."""
    user, product = await shop.user(), await shop.product()
    token = shop.token(user)
    for address in (
        "/api/v1/products",
        f"/api/v1/products/{product['id']}",
        f"/api/v1/users/{user['id']}",
        f"/api/v1/users/{user['id']}/orders",
    ):
        assert (await client.get(address, token=token)).status == 200
        for at in [at for at, letter in enumerate(address) if letter == "/" and at >= len("/api/v1")]:
            answer = await client.get(address[:at] + slash + address[at + 1 :], token=token)
            assert (answer.status, answer.error["code"]) == (404, "NOT_FOUND")
            assert "no resource or operation" in answer.error["message"]
    for address in (f"/api/v1/products/..{slash}users", "/api/v1/products/../products", "/api/v1//products"):
        answer = await client.get(address, token=shop.admin)
        assert (answer.status, answer.error["code"]) == (404, "NOT_FOUND"), address


async def test_media_types_and_sizes(client: Client, shop: Shop) -> None:
    token, body = shop.admin, b'{"sku": "A", "name": "B", "priceCents": 1}'
    address = "/api/v1/products"
    assert (await client.post(address, content=body, token=token, headers={"content-type": "text/plain"})).status == 415
    assert (await client.post(address, content=body, token=token)).status == 415
    brotli = {"content-type": "application/json", "content-encoding": "br"}
    assert (await client.post(address, content=body, token=token, headers=brotli)).status == 415
    assert (await client.get(address, headers={"accept": "application/xml"})).status == 406
    assert (await client.get(address, headers={"accept": "application/json;q=0"})).status == 406
    assert (await client.get(address, headers={"accept": "text/html, application/*;q=0.1"})).status == 200
    most = 1_048_576
    for size, status in ((most, 201), (most + 1, 413)):
        spaced = body.replace(b'"A"', b'"L"') + b" " * (size - len(body))
        answer = await client.post(address, content=spaced, token=token, headers={"content-type": "application/json"})
        assert (len(spaced), answer.status) == (size, status)
    assert answer.error["code"] == "PAYLOAD_TOO_LARGE"
    assert str(most) in answer.error["message"]
    assert answer.headers["connection"] == "close"
    for broken in (b"", b"{", b"[]", b"null", b'{"sku": NaN}', b"\xff", b'{"a": "\\ud800"}', b"[" * 10_000):
        answer = await client.post(address, content=broken, token=token, headers={"content-type": "application/json"})
        assert answer.status == 400, broken[:20]
    charset = {"content-type": 'application/json; charset="UTF-8"'}
    assert (await client.post(address, content=body, token=token, headers=charset)).status == 201


async def test_a_problem_is_written_where_it_is_asked_for(client: Client) -> None:
    answer = await client.get("/api/v1/nothing", headers={"accept": "application/problem+json"})
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert (answer.json()["status"], answer.json()["code"]) == (404, "NOT_FOUND")


async def test_a_problem_has_the_headers_of_its_error(client: Client) -> None:
    asked: list[tuple[int, str, str, dict[str, Any], dict[str, str]]] = [
        (401, "GET", "/api/v1/users", {}, {"www-authenticate": "Bearer"}),
        (401, "GET", "/api/v1/users", {"token": "x"}, {"www-authenticate": 'Bearer error="invalid_token"'}),
        (405, "PUT", "/api/v1/products", {"json": {}}, {"allow": "GET, HEAD, OPTIONS, POST"}),
        (413, "POST", "/api/v1/users", {"content": b" " * 1_048_577}, {"connection": "close"}),
    ]
    for status, method, address, options, headers in asked:
        for accept in ("application/json", "application/problem+json"):
            answer = await client.request(method, address, headers={"accept": accept}, **options)
            assert (answer.status, answer.headers["content-type"]) == (status, accept), answer.content
            assert {name: answer.headers.get(name) for name in headers} == headers


async def test_deleting_what_is_referred_to_is_409(client: Client, shop: Shop) -> None:
    user, product = await shop.user(), await shop.product()
    order = await shop.order(user, (product, 1))
    for address in (f"/api/v1/users/{user['id']}", f"/api/v1/products/{product['id']}"):
        answer = await client.delete(address, token=shop.admin)
        assert (answer.status, answer.error["code"]) == (409, "STILL_REFERENCED")
    assert (await client.delete(f"/api/v1/orders/{order['id']}", token=shop.token(user))).status == 204
    assert (await client.delete(f"/api/v1/products/{product['id']}", token=shop.admin)).status == 204


async def test_health_exactly(client: Client) -> None:
    alive = await client.get("/health")
    assert (alive.status, alive.content) == (200, b'{"status":"healthy"}')
    ready = (await client.get("/health/ready")).json()
    assert list(ready) == ["status", "checks", "uptime", "version"]
    assert (ready["status"], ready["uptime"], ready["version"]) == ("healthy", "0h0m", "1.0.0")
    assert list(ready["checks"]) == ["database"]
    assert ready["checks"]["database"]["status"] == "healthy"
    assert re.fullmatch(r"\d+ms", ready["checks"]["database"]["latency"])


async def test_log_lines_exactly(client: Client, log_lines: LogLines) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    answer = await client.post(
        "/api/v1/users",
        json={"name": "A", "email": "a@secret.example"},
        headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"},
    )
    (line,) = log_lines.lines
    assert list(line)[:8] == ["timestamp", "level", "message", "service", "traceId", "spanId", "userId", "duration"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
    assert (line["level"], line["message"], line["service"], line["traceId"]) == ("info", "User created", "shop", trace)
    assert line["requestId"] == answer.json()["meta"]["requestId"]
    log_lines.raw.clear()
    await client.get(f"/api/v1/users/{answer.data['id']}", token=client.token(answer.data["id"]))
    (line,) = log_lines.lines
    assert (line["userId"], line["message"]) == (answer.data["id"], "User read")
    assert line["traceId"] != trace
    log_lines.raw.clear()
    await client.post("/api/v1/users", json={"name": "A", "email": "a@secret.example"})
    error, request = log_lines.lines
    assert (error["errorCode"], request["errorCode"], request["status"]) == ("DUPLICATE", "DUPLICATE", 409)
    assert error["requestId"] == request["requestId"]
    assert b"secret.example" not in b"".join(log_lines.raw)


SECURE = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


async def test_security_headers_are_always_there(client: Client, shop: Shop) -> None:
    product, user = await shop.product(), await shop.user()
    one, token = f"/api/v1/products/{product['id']}", shop.token(user)
    body = {"sku": "A", "name": "B", "priceCents": 1}
    csv, other = {"accept": "text/csv"}, {"accept": "application/problem+json"}
    asked: list[tuple[int, str, str, dict[str, Any]]] = [
        (200, "GET", "/api/v1/products", {}),
        (200, "HEAD", "/api/v1/products", {}),
        (200, "GET", "/api/v1/products", {"headers": csv}),
        (200, "HEAD", "/api/v1/products", {"headers": csv}),
        (200, "POST", "/api/v1/$batch", {"json": {"operations": [{"operation": "products.browse"}]}}),
        (200, "GET", "/health", {}),
        (200, "GET", "/health/ready", {}),
        (201, "POST", "/api/v1/products", {"json": body, "token": shop.admin}),
        (204, "OPTIONS", one, {}),
        (400, "GET", "/api/v1/products?nothing=1", {}),
        (400, "GET", "/api/v1/products?nothing=1", {"headers": other}),
        (401, "POST", "/api/v1/products", {"json": body}),
        (403, "POST", "/api/v1/products", {"json": body, "token": token}),
        (404, "GET", "/api/v1/nothing", {}),
        (404, "GET", "/nothing", {}),
        (404, "GET", "/api/v1/products/prd_x", {}),
        (405, "POST", one, {"json": {}}),
        (405, "POST", "/health", {}),
        (406, "GET", "/api/v1/products", {"headers": {"accept": "image/png"}}),
        (409, "POST", "/api/v1/products", {"json": body, "token": shop.admin}),
        (413, "POST", "/api/v1/products", {"content": b" " * 1_048_577, "token": shop.admin}),
        (415, "POST", "/api/v1/products", {"content": b"{}", "token": shop.admin}),
        (204, "DELETE", one, {"token": shop.admin}),
    ]
    for status, method, address, options in asked:
        answer = await client.request(method, address, **options)
        assert answer.status == status, (method, address, answer.content)
        assert {name: answer.headers.get(name) for name in SECURE} == SECURE, (status, method, address)

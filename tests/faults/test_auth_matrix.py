"""Every operation of the shop, by every kind of principal, against who is allowed to: over HTTP, alone and as the step of
a batch. And the rows of others by every way to name them, and the fields that nobody may write.

`tests/security` proves how policies are kept by one mechanism after the other. Here a served process is asked, with the
principals of all other requests in its cache of tokens.
"""

from __future__ import annotations

import http.client
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from shop.app import app as shop

from sternpost.auth.jwt import make_token
from sternpost.derive.emit import emitted_files
from tests.support.server import SECRET, send, serving

V1 = "/api/v1"
ALL_SCOPES = ["users:admin", "orders:admin", "products:write"]
SCOPES = ("users:read", "users:write", "users:admin", "orders:read", "orders:write", "orders:admin", "products:write")
WRONG = {"wrong scopes": ["users", "users:", "users:Admin", "orders:admins", "products"], "no scopes": []}
PRINCIPALS = ("anonymous", "owner", *WRONG, *SCOPES)
EVERYBODY = frozenset(PRINCIPALS)

MATRIX: dict[str, frozenset[str]] = {
    "users.browse": frozenset({"users:read", "users:admin"}),
    "users.read": frozenset({"owner", "users:read", "users:admin"}),
    "users.create": EVERYBODY,
    "users.replace": frozenset({"owner", "users:write", "users:admin"}),
    "users.update": frozenset({"owner", "users:write", "users:admin"}),
    "users.delete": frozenset({"users:admin"}),
    "users.activate": frozenset({"users:admin"}),
    "users.suspend": frozenset({"users:admin"}),
    "products.browse": EVERYBODY,
    "products.read": EVERYBODY,
    **dict.fromkeys(
        ("products.create", "products.replace", "products.update", "products.delete"), frozenset({"products:write"})
    ),
    "orders.browse": frozenset({"owner", "orders:read", "orders:admin"}),
    "orders.read": frozenset({"owner", "orders:read", "orders:admin"}),
    **dict.fromkeys(
        ("orders.create", "orders.replace", "orders.update"), frozenset({"owner", "orders:write", "orders:admin"})
    ),
    **dict.fromkeys(
        ("orders.delete", "orders.place", "orders.pay", "orders.cancel"), frozenset({"owner", "orders:admin"})
    ),
    "orders.ship": frozenset({"orders:admin"}),
}
"""Who may do it to a row of `owner`, as the contract of the shop says: written once more, by hand."""

BEFORE = {"orders.pay": ("place",), "orders.ship": ("place", "pay")}
"""What an order has to have gone through."""


def token(subject: str, *scopes: str) -> str:
    now = int(time.time())
    return make_token(SECRET, subject=subject, scopes=list(scopes), issued=now, expires=now + 600)


@dataclass
class Rows:
    """A user with an order of their own, and a product."""

    user: dict[str, Any]
    product: dict[str, Any]
    order: dict[str, Any]


class Shop:
    """The service, and rows in it."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self._connection = connection
        self._numbers = itertools.count(1)
        self.admin = token("admin", *ALL_SCOPES)

    def ask(self, method: str, path: str, body: Any = None, bearer: str | None = None) -> tuple[int, Any]:
        return send(self._connection, method, V1 + path, body, bearer)

    def made(self, path: str, body: Any) -> dict[str, Any]:
        status, answer = self.ask("POST", path, body, self.admin)
        assert status in (200, 201), answer
        return answer["data"]

    def rows(self) -> Rows:
        user = self.made("/users", self.new_user())
        product = self.made("/products", self.new_product())
        items = [{"productId": product["id"], "quantity": 1}]
        return Rows(user, product, self.made("/orders", {"userId": user["id"], "items": items}))

    def new_user(self) -> dict[str, Any]:
        return {"name": "Ada", "email": f"ada{next(self._numbers)}@shop.example"}

    def new_product(self) -> dict[str, Any]:
        return {"sku": f"SKU-{next(self._numbers)}", "name": "Lamp", "priceCents": 100, "stock": 9}

    def seen(self, rows: Rows) -> list[Any]:
        """All that is there of them."""
        paths = (f"/users/{rows.user['id']}", f"/products/{rows.product['id']}", f"/orders/{rows.order['id']}")
        return [self.ask("GET", path, bearer=self.admin)[1].get("data") for path in paths]

    def count(self) -> list[int]:
        counted = [
            self.ask("GET", f"/{path}?pageSize=1", bearer=self.admin)[1] for path in ("users", "products", "orders")
        ]
        return [each["meta"]["totalCount"] for each in counted]


@contextmanager
def served(folder: Path, url: str, plant: str = "") -> Iterator[Shop]:
    app = "tests.faults.planted_shop:app" if plant else "shop.app:app"
    with (
        serving(app, folder, STERNPOST_DATABASE_URL=url, FAULTS_PLANT=plant) as server,
        closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)) as connection,
    ):
        yield Shop(connection)
        assert not [line for line in server.lines if '"level":"error"' in line]


@dataclass
class Asked:
    """An operation, as it is asked for alone and in a batch."""

    operation: str
    method: str
    path: str
    step: dict[str, Any]
    body: Any = None


def asked(shop: Shop, operation: str, rows: Rows) -> Asked:
    name, _, verb = operation.partition(".")
    row = {"users": rows.user, "products": rows.product, "orders": rows.order}[name]
    items = [{"productId": rows.product["id"], "quantity": 2}]
    new = {
        "users": shop.new_user,
        "products": shop.new_product,
        "orders": lambda: {"userId": row["userId"], "items": items},
    }
    change: dict[str, Any] = {"users": {"name": "Eve"}, "products": {"name": "Eve"}, "orders": {"items": items}}[name]
    whole = {
        "users": {"name": "Eve", "email": row.get("email")},
        "products": shop.new_product(),
        "orders": {"items": items},
    }
    one = f"/{name}/{row['id']}"
    step: dict[str, Any] = {"operation": operation, "id": row["id"]}
    match verb:
        case "browse":
            query = {"sort": "-createdAt"} if name != "products" else {"sku": row["sku"]}
            del step["id"]
            text = "&".join(f"{key}={value}" for key, value in query.items())
            return Asked(operation, "GET", f"/{name}?{text}", {**step, "query": query})
        case "create":
            del step["id"]
            body = new[name]()
            return Asked(operation, "POST", f"/{name}", {**step, "body": body}, body)
        case "read":
            return Asked(operation, "GET", one, step)
        case "update":
            return Asked(operation, "PATCH", one, {**step, "body": change}, change)
        case "replace":
            return Asked(operation, "PUT", one, {**step, "body": whole[name]}, whole[name])
        case "delete":
            return Asked(operation, "DELETE", one, step)
        case _:
            return Asked(operation, "POST", f"{one}/{verb}", step)


def bearer_of(principal: str, rows: Rows, operation: str) -> str | None:
    if principal == "anonymous":
        return None
    if principal == "owner":
        return token(rows.user["id"])
    more = ["users:read"] if operation == "orders.create" else []  # who names a user in a body has to see that user
    return token("usr_" + "e" * 32, *WRONG.get(principal, [principal]), *more)


def holds(data: Any, rows: Rows) -> bool:
    """Whether what was answered holds one of the rows, or is a row."""
    ids = {rows.user["id"], rows.product["id"], rows.order["id"]}
    return any(each["id"] in ids for each in data) if isinstance(data, list) else True


def prepared(shop: Shop, operation: str) -> Rows:
    rows = shop.rows()
    for verb in BEFORE.get(operation, ()):
        shop.made(f"/orders/{rows.order['id']}/{verb}", None)
    if operation in ("users.delete", "products.delete"):  # what is referred to cannot be deleted
        shop.ask("DELETE", f"/orders/{rows.order['id']}", bearer=shop.admin)
    return rows


def may(shop: Shop, operation: str, principal: str, *, batch: bool) -> tuple[bool, str]:
    """Whether somebody is let do it; and what is wrong with how they are not."""
    rows = prepared(shop, operation)
    what, bearer = asked(shop, operation, rows), bearer_of(principal, rows, operation)
    before = shop.seen(rows), shop.count()
    if batch:
        status, answer = shop.ask("POST", "/$batch", {"operations": [what.step]}, bearer)
        data = answer["data"][0].get("data") if status == 200 else None
    else:
        status, answer = shop.ask(what.method, what.path, what.body, bearer)
        data = (answer or {}).get("data")
    if status < 300:
        return (holds(data, rows) if operation.endswith("browse") else True), ""
    wrong = "" if status == 401 or (bearer and status in (403, 404)) else f"{status} {answer}"
    if (shop.seen(rows), shop.count()) != before:
        wrong += " it was refused, and has changed something"
    told = json.dumps(answer)
    wrong += "".join(f" told: {secret}" for secret in (rows.user["email"], rows.user["name"]) if f'"{secret}"' in told)
    return False, wrong


def test_the_matrix_has_every_operation() -> None:
    assert set(MATRIX) == set(shop.compiled.plan.operations)


@pytest.mark.parametrize("batch", [False, True], ids=["alone", "in a batch"])
def test_each_operation_is_for_whom_the_contract_says(tmp_path: Path, database_url: str, batch: bool) -> None:
    wrong: list[str] = []
    with served(tmp_path, database_url) as service:
        for operation, principal in itertools.product(MATRIX, PRINCIPALS):
            allowed, problem = may(service, operation, principal, batch=batch)
            if allowed != (principal in MATRIX[operation]) or problem:
                wrong.append(f"{operation} by {principal}: {allowed} {problem}")
    print(f"{len(MATRIX) * len(PRINCIPALS)} pairs of operation and principal")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_a_caller_who_is_given_every_scope_is_found(tmp_path: Path) -> None:
    """The control."""
    with served(tmp_path, f"sqlite:///{tmp_path / 'shop.sqlite'}", "grants_all_scopes") as service:
        for operation, batch in (("users.delete", False), ("orders.read", True)):
            assert may(service, operation, "no scopes", batch=batch)[0] != ("no scopes" in MATRIX[operation])


def test_rows_of_others_are_reached_by_no_name(tmp_path: Path, database_url: str) -> None:
    """An id in the path, in the body, in a filter, in what is sorted and included, in a cursor, and by reference."""
    with served(tmp_path, database_url) as service:
        ada, bob = service.rows(), service.rows()
        mallory = token(bob.user["id"])
        hidden = (ada.user["id"], ada.order["id"], ada.user["email"])
        before = service.seen(ada)
        own, theirs = f"/orders/{bob.order['id']}", f"/orders/{ada.order['id']}"
        _, listed = service.ask("GET", "/orders?pageSize=1&sort=createdAt&cursor=", bearer=service.admin)
        cursor = listed["meta"]["nextCursor"]
        items = [{"productId": ada.product["id"], "quantity": 1}]
        step: dict[str, Any] = {"as": "mine", "operation": "orders.read", "id": bob.order["id"]}
        reference = {"operation": "orders.update", "id": ada.order["id"], "body": {"items": {"$ref": "mine.items"}}}
        ways: list[tuple[str, str, Any]] = [
            ("GET", f"/orders?userId={ada.user['id']}", None),
            ("GET", f"/orders?userId[in]={ada.user['id']},{bob.user['id']}&include=user", None),
            ("GET", f"/orders?userId[ne]={bob.user['id']}", None),
            ("GET", "/orders?sort=-totalCents,createdAt&include=user,items", None),
            ("GET", f"/orders?pageSize=1&sort=createdAt&cursor={cursor}", None),
            ("GET", f"{own}?include=user.orders,items", None),
            ("GET", f"/users/{ada.user['id']}/orders", None),
            ("GET", f"/users/{bob.user['id']}/orders?userId={ada.user['id']}", None),
            ("GET", f"/users/{bob.user['id']}?include=orders.user", None),
            ("GET", f"{theirs}?include=user,items", None),
            ("POST", "/orders", {"userId": ada.user["id"], "items": items}),
            ("PATCH", own, {"userId": ada.user["id"]}),
            ("PUT", own, {"userId": ada.user["id"], "items": items}),
            ("PATCH", theirs, {"items": []}),
            ("DELETE", theirs, None),
            ("POST", f"{theirs}/cancel", None),
            ("POST", "/$batch", {"operations": [step, reference]}),
            ("POST", "/$batch", {"operations": [{"operation": "orders.read", "id": ada.order["id"]}]}),
            ("POST", "/$batch", {"operations": [{"operation": "users.read", "id": ada.user["id"]}]}),
            (
                "POST",
                "/$batch",
                {"operations": [step, {"operation": "users.read", "id": {"$ref": "mine.userId.orders"}}]},
            ),
            ("POST", "/$batch", {"operations": [{"operation": "orders.browse", "query": {"userId": ada.user["id"]}}]}),
        ]
        answers: dict[str, int] = {}
        for method, path, body in ways:
            status, answer = service.ask(method, path, body, mallory)
            answers[f"{method} {path} {body}"] = status
            assert status < 500
            assert status < 300 or status in (400, 401, 403, 404, 422), answer
            sent = f"{path} {json.dumps(body)}"
            told = json.dumps(answer.get("data") if status < 300 else answer)
            found = [secret for secret in hidden if secret in told and (status < 300 or secret not in sent)]
            assert not found, f"{method} {path}: {found} in {told}"
        assert service.seen(ada) == before
        changed = {way: status for way, status in answers.items() if not way.startswith("GET") and status < 300}
        assert set(changed) <= {way for way in answers if "orders.browse" in way}, changed
        assert service.ask("GET", own, bearer=mallory)[0] == 200, "what is their own they see"


def written_and_shown() -> Iterator[tuple[str, str, str, str]]:
    """For each operation with a body: the fields that are shown, and may not be written by it."""
    document: Any = json.loads(emitted_files(shop.compiled)["openapi.json"])
    schemas = document["components"]["schemas"]
    for name, plural in (("User", "users"), ("Product", "products"), ("Order", "orders")):
        for method, verb in (("POST", "Create"), ("PUT", "Replace"), ("PATCH", "Update")):
            for member in sorted(schemas[name]["properties"].keys() - schemas[name + verb]["properties"].keys()):
                yield plural, method, verb, member


def test_no_field_is_written_that_is_only_shown(tmp_path: Path, database_url: str) -> None:
    tried: list[str] = []
    with served(tmp_path, database_url) as service:
        for plural, method, verb, member in written_and_shown():
            rows, other = service.rows(), service.rows()
            row, value = ((vars(each)[plural[:-1]]).get(member, []) for each in (rows, other))
            what = asked(service, f"{plural}.{verb.lower()}", rows)
            values = ({"status": "suspended"} if plural == "users" else {"status": "paid"}) | {"totalCents": 1}
            for sent in (values.get(member, value), row, None):
                before = service.seen(rows), service.count()
                status, answer = service.ask(method, what.path, {**what.body, member: sent}, service.admin)
                assert 400 <= status < 500, f"{method} {what.path} with {member}={sent}: {status} {answer}"
                assert member in {detail["path"].split(".")[0] for detail in answer["error"]["details"]}, answer
                assert (service.seen(rows), service.count()) == before
                tried.append(member)
        rows = service.rows()
        price = [{"productId": rows.product["id"], "quantity": 1, "unitPriceCents": 1}]
        status, answer = service.ask("PATCH", f"/orders/{rows.order['id']}", {"items": price}, service.admin)
        assert (status, answer["error"]["details"][0]["path"]) == (400, "items.0.unitPriceCents")
    print(f"{len(tried)} tries, {sorted(set(tried))}")
    assert {"id", "status", "createdAt", "updatedAt", "totalCents", "userId"} <= set(tried)

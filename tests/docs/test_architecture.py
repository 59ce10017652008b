"""The architecture page speaks of files, functions and statements that exist, and requests take the way that it shows."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Coroutine
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from shop.app import app

from sternpost import Settings
from sternpost.storage.sql.explain import explain_operation
from sternpost.storage.sql.statements import Statements
from sternpost.storage.sqlite.dialect import SqliteDialect
from sternpost.testing import Client
from tests.docs.pages import DOCS, ROOT, blocks
from tests.support.shop import Shop

PAGE = DOCS / "explanation" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
SECRET = "documentation-tests-3f8a1c6d9e2b7045"
LAYERS = "Layers: imports go down only, siblings do not know each other"

_PATH = re.compile(r"`((?:src/sternpost|examples/shop)(?:/[\w./-]+)?)")
_FUNCTION = re.compile(r"`((?:src|examples)/[\w./-]+\.py): (\w+)`")


def defined(path: str) -> set[str]:
    """The names of every function and class of a file."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


def test_every_path_exists() -> None:
    paths = set(_PATH.findall(TEXT))
    assert len(paths) > 20
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


def test_every_function_exists() -> None:
    named = set(_FUNCTION.findall(TEXT))
    assert len(named) > 25
    assert sorted(f"{path}: {name}" for path, name in named if name not in defined(path)) == []


def test_every_file_is_named_with_its_full_path() -> None:
    short = re.findall(r"`(?!src/|examples/)[\w/]+\.py", TEXT)
    assert short == []


def test_layers_are_those_that_are_checked() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = [contract["layers"] for contract in configured if contract["name"] == LAYERS]
    table = TEXT.partition("## Layers")[2].partition("##")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    shown = [" | ".join(re.findall(r"src/sternpost/(\w+)", row)) for row in rows]
    assert shown == layers


def test_statements_are_those_that_are_sent() -> None:
    statements = Statements(app.plan, SqliteDialect())
    sent = {
        " ".join(text.split())
        for operation in ("orders.place", "orders.browse")
        for _, text in explain_operation(statements, operation)
    }
    shown = [line for block in blocks(PAGE, "sql") for line in block.code.splitlines() if not line.startswith("--")]
    assert len(shown) == 5
    assert [line for line in shown if line not in sent] == []


# -- the walks

BEGINNING = "How every request begins"
WALKS = ("A read", "A list", "A create", "A transition", "A batch")

Called = tuple[str, str]
"""A file, and the name of a function in it."""


def steps(heading: str) -> list[Called]:
    """The functions that a table shows, one for each row, in order."""
    section = TEXT.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[2] for line in section.splitlines() if re.match(r"\| \d+ \|", line)]
    return [(found[1], found[2]) for row in rows if (found := _FUNCTION.search(row))]


async def calls_of(request: Coroutine[Any, Any, Any], status: int) -> list[Called]:
    """The functions that were called for a request, in order; a coroutine counts each time that it goes on."""
    called: list[Called] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(f"{ROOT}/"):
            called.append((path.removeprefix(f"{ROOT}/"), frame.f_code.co_name))

    sys.setprofile(note)
    try:
        answer = await request
    finally:
        sys.setprofile(None)
    assert answer.status == status, answer.content
    return called


def missing_step(shown: list[Called], called: list[Called]) -> Called | None:
    """The first step that was not taken behind those before it."""
    rest = iter(called)
    return next((step for step in shown if step not in rest), None)


@pytest.mark.parametrize("walk", WALKS)
async def test_requests_take_the_way_that_is_shown(walk: str, tmp_path: Path) -> None:
    begin, shown = steps(BEGINNING), steps(f"{walk}, step by step")
    assert len(begin) == 11
    assert len(shown) >= 10
    url = f"sqlite:///{tmp_path / 'shop.sqlite'}"
    app.use(Settings.model_validate({"env": "test", "database_url": url, "jwt_secret": SECRET}))
    async with Client(app) as client:
        shop = Shop(client)
        user, product = await shop.user(), await shop.product()
        order, token = await shop.order(user, (product, 2)), shop.token(user)
        items = {"items": [{"productId": product["id"], "quantity": 1}]}
        batch = [
            {"operation": "orders.create", "as": "order", "body": items},
            {"operation": "orders.place", "id": {"$ref": "order.id"}},
        ]
        requests = {
            "A read": (client.get(f"/api/v1/orders/{order['id']}", token=token), 200),
            "A list": (client.get("/api/v1/orders?status=draft&sort=-createdAt", token=token), 200),
            "A create": (client.post("/api/v1/orders", json=items, token=token), 201),
            "A transition": (client.post(f"/api/v1/orders/{order['id']}/place", token=token), 200),
            "A batch": (client.post("/api/v1/$batch", json={"operations": batch}, token=token), 200),
        }
        request, status = requests.pop(walk)
        for other, _ in requests.values():
            other.close()
        called = await calls_of(request, status)
    assert missing_step(begin, called) is None
    assert missing_step(shown, called) is None

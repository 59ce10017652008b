"""The page for those who come from Prisma: every call in its tables is carried out, every error exists."""

from __future__ import annotations

import ast
import re
from inspect import iscoroutine
from pathlib import Path
from typing import Any

import pytest
from shop.app import app
from shop.contract import Order, Product, User
from shop.data import Data

from sternpost import Settings, errors
from tests.docs.pages import DOCS

PAGE = (DOCS / "how-to" / "coming-from-prisma.md").read_text(encoding="utf-8")
ROWS = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| ---")]
CALLS = [found[1] for row in ROWS if (found := re.match(r"`((?:await|async) .+)`$", row[1]))]


async def test_every_call_is_carried_out(tmp_path: Path) -> None:
    assert len(CALLS) > 45
    url = f"sqlite:///{tmp_path / 'prisma.sqlite'}"
    app.use(
        Settings.model_validate(
            {"env": "test", "database_url": url, "jwt_secret": "documentation-tests-3f8a1c6d9e2b7045"}
        )
    )
    async with app.data(Data) as db:
        await db.access.model.storage.create_schema()
        ada = await db.users.create({"name": "Ada", "email": "ada@example.com"})
        await db.orders.create({"user": {"connect": ada.id}})

        async def work(tx: Data) -> int:
            return await tx.users.count()

        known: dict[str, Any] = {
            "db": db,
            "users": db.users,
            "orders": db.orders,
            "products": db.products,
            "id": ada.id,
            "email": "ada@example.com",
            "work": work,
            "app": app,
            "User": User,
            "Order": Order,
            "Product": Product,
        }
        for call in CALLS:
            code = compile(call, call, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            done = eval(code, known)
            assert iscoroutine(done), call
            await done


@pytest.mark.parametrize(
    "row", [row for row in ROWS if len(row) == 2 and row[0] != "| Prisma 7"], ids=lambda row: row[0]
)
def test_every_error_exists(row: list[str]) -> None:
    for name in re.findall(r"`([A-Z]\w+)`", row[1]):
        assert hasattr(errors, name) or name in ("TypeError", "ValueError")

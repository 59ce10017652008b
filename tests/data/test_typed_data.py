"""The generated types: as committed, checked by their hash, accepted and refused by pyright where they should be."""

# ruff: noqa: E501  (what is checked stands on one line each)
from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from shop.app import app

from sternpost.derive.typed_data import problem_of, typed_data
from tests.data.library import app as library
from tests.docs.pages import ROOT
from tests.support import forks
from tests.support.declared import app as declared

COMMITTED = ROOT / "examples" / "shop" / "shop" / "data.py"

GOOD = """
from dataclasses import dataclass
from typing_extensions import assert_type
from shop.contract import Order, User
from shop.data import Data
from sternpost import Context

@dataclass
class Short:
    id: str

async def good(db: Data) -> None:
    orders = await db.orders.find(
        {"status": "paid", "total_cents": {"gte": 10, "in": [1]}, "user": {"name": {"contains": "A", "mode": "insensitive"}}},
        order=["-total_cents", "user.name", {"by": "created_at", "nulls": "last"}],
        include={"user": {"include": {"orders": {"where": {"status": {"ne": "draft"}}, "limit": 3}}}, "items": True},
    )
    assert_type(orders, list[Order])
    assert_type(orders[0].items[0].quantity, int)
    assert_type(await db.orders.find(into=Short), list[Short])
    assert_type(await db.users.first({"orders": {"some": {"items": {"every": {"quantity": {"lt": 2}}}}}}), User | None)
    await db.users.find({"AND": [{"name": "x"}], "OR": [{"email": "y"}], "NOT": {"orders": {"none": {}}}})
    made = await db.users.create({"name": "Ada", "email": "a@example.com"})
    await db.orders.create({"user": {"connect": made}, "items": {"create": [{"product": {"connect": {"sku": "A"}}, "quantity": 1, "unit_price_cents": 2}]}})
    await db.products.update({"sku": "A"}, {"stock": {"decrement": 1}, "name": "x"})
    assert_type(await db.products.create_many([{"sku": "A", "name": "b", "price_cents": 1}]), int)
    await db.products.upsert({"sku": "A"}, create={"sku": "A", "name": "b", "price_cents": 1}, update={"stock": {"increment": 1}})
    [group] = await db.orders.aggregate(by=["status"], sum=["total_cents"], having={"sum": {"total_cents": {"gt": 1}}}, order=["-sum.total_cents"])
    assert_type(group.count, int)
    await db.sql("select 1")

async def service(ctx: Context) -> int:
    assert_type(await Data(ctx).orders.find(), list[Order])
    async with Data(Data(ctx)).transaction() as db:
        return await db.orders.count({"status": "paid"})
"""

BAD = [
    ('await db.orders.find({"totl_cents": 1})', "totl_cents"),
    ('await db.orders.find({"total_cents": "1"})', "str"),
    ('await db.orders.find({"total_cents": {"like": 1}})', "IntegerFilter"),
    ('await db.orders.find({"total_cents": {"gte": "1"}})', "str"),
    ('await db.orders.find({"status": "payd"})', "payd"),
    ('await db.orders.find({"status": {"in": ["payd"]}})', "OrderStatusFilter"),
    ('await db.orders.find({"user": {"nam": "x"}})', "UserWhere"),
    ('await db.users.find({"orders": {"any": {}}})', "any"),
    ('await db.users.find({"orders": {"some": {"state": "paid"}}})', "state"),
    ('await db.orders.find(order=["-totl"])', "totl"),
    ('await db.orders.find(fields=["totl"])', "totl"),
    ('await db.orders.find(include={"usr": True})', "usr"),
    ('await db.users.create({"name": "Ada"})', "email"),
    ('await db.users.create({"name": 1, "email": "x"})', "int"),
    ('await db.products.update("x", {"stock": {"add": 1}})', "IntegerChange"),
    ('await db.products.update("x", {"name": {"increment": 1}})', "str"),
    ('await db.products.get({"name": "x"})', "ProductKey"),
    ('await db.orders.aggregate(sum=["status"])', "status"),
    ('await db.orders.aggregate(by=["stat"])', "stat"),
    ('await db.sql(f"select {name}")', "LiteralString"),
]


def pyright(folder: Path, source: str) -> list[tuple[int, str]]:
    """The line and text of every error, in strict mode."""
    file = folder / "checked.py"
    file.write_text(source, encoding="utf-8")
    config = {
        "typeCheckingMode": "strict",
        "pythonVersion": "3.11",
        "extraPaths": [str(ROOT / "examples" / "shop"), str(ROOT / "src")],
        "include": [str(file), str(COMMITTED)],
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(config), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "-p", str(folder), "--pythonpath", sys.executable, "--outputjson"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)["generalDiagnostics"]
    return [(entry["range"]["start"]["line"] + 1, entry["message"]) for entry in found if entry["severity"] == "error"]


def test_what_fits_is_accepted_and_the_file_is_clean(tmp_path: Path) -> None:
    assert pyright(tmp_path, GOOD) == []


def test_every_mistake_is_found(tmp_path: Path) -> None:
    head = "from shop.data import Data\nasync def bad(db: Data, name: str) -> None:\n"
    found = pyright(tmp_path, head + "".join(f"    {call}\n" for call, _ in BAD))
    for line, (call, word) in enumerate(BAD, start=3):
        texts = [message for at, message in found if at == line]
        assert texts, f"pyright accepts {call}"
        assert any(word in text for text in texts), (call, texts)
    assert {at for at, _ in found} == set(range(3, 3 + len(BAD)))


def test_orders_of_enums_and_members_of_objects_have_types() -> None:
    text = typed_data(declared.compiled)
    for line in (
        'TaskUrgency: TypeAlias = Literal["low", "mid", "high"]\n'
        '"In this order: low, mid, high; low: Can wait; mid: This week; high: Today"',
        """        "gte": 'TaskUrgency',""",
        """        "spot.town": 'str | None | NullableStringFilter',""",
        """        "spot.room.floor": 'int | None | NullableIntegerFilter',""",
        """        "spot.open_at": 'datetime | None | NullableDatetimeFilter',""",
    ):
        assert line in text
    assert """"gte": 'TaskState'""" not in text, "an enum without an order has no comparisons"


def test_the_committed_file_is_the_contracts() -> None:
    assert problem_of(app.compiled, COMMITTED) is None


def test_a_file_that_does_not_fit_is_told_with_the_fix(tmp_path: Path) -> None:
    file = tmp_path / "data.py"
    fix = re.escape(f"sternpost contract emit --python {file}")
    text = typed_data(app.compiled)
    for content, said in (
        (None, "does not exist"),
        (text.replace('"status"', '"state"', 1), "was edited by hand"),
        ("x = 1\n", "was edited by hand"),
        (typed_data(library.compiled), "different state of the contract"),
    ):
        if content is not None:
            file.write_text(content, encoding="utf-8")
        problem = problem_of(app.compiled, file)
        assert problem is not None
        assert re.search(f"{said}.*{fix}", problem)
    file.write_text(text, encoding="utf-8")
    assert problem_of(app.compiled, file) is None


def test_the_module_for_every_kind_of_field_can_be_imported(tmp_path: Path) -> None:
    file = tmp_path / "library_data.py"
    file.write_text(typed_data(library.compiled), encoding="utf-8")
    names: dict[str, object] = {"__name__": "library_data"}
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), names)
    assert "BookWhere" in names


def cli(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return forks.run(["contract", *arguments], folder, os.environ)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shop = ROOT / "examples" / "shop"
    (tmp_path / "pyproject.toml").write_text(
        f'[tool.sternpost]\napp = "shop.app:app"\npaths = ["{shop}"]\ndata = "made/data.py"\n', encoding="utf-8"
    )
    return tmp_path


def test_the_commands_write_and_check_it(project: Path) -> None:
    missing = cli("check", folder=project)
    assert (
        missing.returncode,
        "sternpost contract emit --python made/data.py" in missing.stderr.replace("\n", " "),
    ) == (1, True)
    assert cli("emit", "--python", "made/data.py", folder=project).returncode == 0
    assert (project / "made" / "data.py").read_text(encoding="utf-8") == COMMITTED.read_text(encoding="utf-8")
    assert not (project / "contract").exists()
    assert cli("check", folder=project).returncode == 0

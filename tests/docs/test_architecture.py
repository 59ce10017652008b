"""The architecture page speaks of files, functions and statements that exist."""

from __future__ import annotations

import ast
import re
import tomllib

from shop.app import app

from sternpost.storage.sql.explain import explain_operation
from sternpost.storage.sql.statements import Statements
from sternpost.storage.sqlite.dialect import SqliteDialect
from tests.docs.pages import DOCS, ROOT, blocks

PAGE = DOCS / "explanation" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
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

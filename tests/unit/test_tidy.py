"""What every file of the source keeps: short lines, docstrings, no private name of another folder, no large class."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "sternpost"
LINE_MAX = 120
CLASS_LINES_MAX = 350
PER_REQUEST = {"auth", "data", "pipeline", "ports", "protocols", "storage", "telemetry"}
BUILT_IN = {"dict", "frozenset", "list", "set"}
FILES = sorted(SOURCE.rglob("*.py"))


@pytest.fixture(scope="module", params=FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def file(request: pytest.FixtureRequest) -> Path:
    return request.param


def test_no_line_is_long(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    code = [line.partition("  # noqa: ")[0].partition("  # pyright: ")[0] for line in lines]
    assert [number for number, line in enumerate(code, start=1) if len(line) > LINE_MAX] == []


def test_the_module_and_all_that_is_public_says_what_it_is_for(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    silent = [] if ast.get_docstring(tree) else ["the module"]
    silent += [node.name for node in _public(tree) if not ast.get_docstring(node)]
    assert silent == []


def test_no_private_name_of_another_folder_is_imported(file: Path) -> None:
    folder = ".".join(("sternpost", *file.relative_to(SOURCE).parent.parts))
    taken: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sternpost"):
            private = [name.name for name in node.names if name.name.startswith("_") and not name.name.startswith("__")]
            inside = str(node.module).rpartition(".")[0] == folder
            taken += [] if inside else private
    assert taken == []


def test_no_class_is_large(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    large = {node.name: _lines(node) for node in classes if _lines(node) > CLASS_LINES_MAX}
    assert large == {}


def test_nothing_generic_is_called_where_requests_come_through(file: Path) -> None:
    """`dict[str, Any]()` costs fifteen times as much as `{}`; a `default_factory=dict[str, Any]` calls it each time."""
    if file.relative_to(SOURCE).parts[0] not in PER_REQUEST:
        return
    called: list[ast.expr] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called += [node.func, *(each.value for each in node.keywords if each.arg == "default_factory")]
    generic = [each for each in called if isinstance(each, ast.Subscript) and isinstance(each.value, ast.Name)]
    assert [each.lineno for each in generic if ast.unparse(each.value) in BUILT_IN] == []


def _public(tree: ast.Module) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def _lines(node: ast.ClassDef) -> int:
    return int(node.end_lineno or node.lineno) - node.lineno + 1

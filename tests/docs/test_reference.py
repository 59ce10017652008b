"""The committed reference is what its script generates from the code."""

from __future__ import annotations

import inspect
import re
import runpy
from collections.abc import Iterator
from typing import Any

import pytest

import sternpost
import sternpost.testing
from sternpost.kinds import KINDS
from tests.docs.pages import DOCS, ROOT

REFERENCE = DOCS / "reference"
GENERATED: dict[str, str] = runpy.run_path(str(ROOT / "scripts" / "generate_reference.py"))["generate"]()


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_page_is_current(name: str) -> None:
    committed = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert committed == GENERATED[name], "run: python scripts/generate_reference.py"


def test_there_is_no_other_page() -> None:
    assert {page.relative_to(REFERENCE).as_posix() for page in REFERENCE.rglob("*.md")} == GENERATED.keys()


TESTING = GENERATED["testing.md"]
PAGES = "\n".join(text for text in GENERATED.values() if text is not TESTING)
EXPORTED = {name: getattr(sternpost, name) for name in sternpost.__all__ if not name.startswith("_")}
FOR_TESTS = {name: getattr(sternpost.testing, name) for name in sternpost.testing.__all__}
NO_SIGNATURE = {
    "Resource",
    "Payload",
    "Policy",
    "ContractError",
    "Context",
    "Change",
    "Database",
    "Table",
    "Repository",
}
NO_SIGNATURE |= {"Settings", "One", "Many", "Owned", "Operation", "implements", "HookCall", "HttpContext", "Request"}
NO_SIGNATURE |= {"Response", "Proceed"}
IN_TABLES = {"Email", "IPAddress", "Json", "Slug", "Url", "this", "caller", "claim", "named", "now", "outer", "scope"}
"""What nobody calls to make one, or is used as the pages show: declared as classes, given to functions, annotations."""


def section(name: str, pages: str = PAGES) -> str:
    """What the reference says under the heading of a name."""
    found = re.search(rf"^(#+) {re.escape(name)}\n(.*?)(?=^\1 |\Z)", pages, re.MULTILINE | re.DOTALL)
    assert found is not None, f"{name} has no heading"
    return found[2]


@pytest.mark.parametrize("name", sorted(EXPORTED))
def test_all_that_is_exported_is_there_with_each_of_its_parameters(name: str) -> None:
    value = EXPORTED[name]
    if not callable(value) or isinstance(value, sternpost.Policy) or name in IN_TABLES:
        assert f"`{name}" in PAGES
        return
    text = section(name)
    plain_error = isinstance(value, type) and issubclass(value, Exception) and "__init__" not in vars(value)
    if name in NO_SIGNATURE or plain_error:
        assert text.strip()
        return
    missing = [parameter for parameter in parameters_of(value) if not re.search(rf"\*?\b{parameter}\b[:,]", text)]
    assert missing == []


def parameters_of(value: Any) -> Iterator[str]:
    for parameter in inspect.signature(value).parameters:
        if parameter not in ("self", "source"):
            yield parameter


@pytest.mark.parametrize("name", sorted(FOR_TESTS))
def test_what_tests_use_is_there_with_each_of_its_parameters(name: str) -> None:
    text = section(name, TESTING)
    assert [each for each in parameters_of(FOR_TESTS[name]) if f"{each}:" not in text] == []


@pytest.mark.parametrize("cls", ["Sternpost", "Context", "Change", "Database", "Table", "HttpContext"])
def test_every_public_member_is_there_with_each_of_its_parameters(cls: str) -> None:
    page = section(cls)
    for name, member in vars(EXPORTED[cls]).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        found = re.search(rf"^#### {name}(?:\(…\))?\n(.*?)(?=^#|\Z)", page, re.MULTILINE | re.DOTALL)
        assert found is not None, name
        if inspect.isfunction(member):
            assert [each for each in parameters_of(member) if not re.search(rf"\b{each}\b", found[1])] == [], name


def test_every_kind_of_field_is_there() -> None:
    rows = GENERATED["types.md"]
    assert [kind for kind in KINDS if not re.search(rf"^\|[^|]+\| {kind} \|", rows, re.MULTILINE)] == []


def test_what_a_declaration_takes_has_a_meaning() -> None:
    text = section("field") + section("one") + section("many") + section("Contract")
    for function in (sternpost.field, sternpost.one, sternpost.many, sternpost.Contract):
        for name in parameters_of(function):
            assert re.search(rf"^- (?:`\w+`, )*`{name}`(?:, `\w+`)*: ", text, re.MULTILINE), (
                f"{function.__name__}({name})"
            )

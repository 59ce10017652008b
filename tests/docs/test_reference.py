"""The committed reference is what its script generates from the code."""

from __future__ import annotations

import runpy

import pytest

from tests.docs.pages import DOCS, ROOT

GENERATED: dict[str, str] = runpy.run_path(str(ROOT / "scripts" / "generate_reference.py"))["generate"]()


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_page_is_current(name: str) -> None:
    committed = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert committed == GENERATED[name], "run: python scripts/generate_reference.py"


def test_there_is_no_other_page() -> None:
    assert {page.name for page in (DOCS / "reference").glob("*.md")} == GENERATED.keys()

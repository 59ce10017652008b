"""Decisions: short, one each, listed, and about code that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, pages
from tests.docs.test_architecture import defined

LINES_MAX = 40
SECTIONS = ["Decision", "Why", "What it costs", "Where it is"]


@pytest.mark.parametrize("page", pages("decisions"), ids=lambda page: page.stem)
def test_decision(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.count("\n") <= LINES_MAX
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    places = re.findall(r"`(src/sternpost/[\w./-]+?)(?:: (\w+))?`", text)
    assert places
    for path, name in places:
        assert (ROOT / path).is_file(), path
        assert not name or name in defined(path), f"{path}: {name}"


def test_every_page_is_listed() -> None:
    """In the README of the docs; criteria in the page of the gates."""
    listed = set(re.findall(r"\]\(([\w/-]+\.md)\)", (DOCS / "README.md").read_text(encoding="utf-8")))
    gates = (DOCS / "reference" / "gates.md").read_text(encoding="utf-8")
    listed |= {f"reference/{name}" for name in re.findall(r"\]\((criteria/\w+\.md)\)", gates)}
    assert listed == {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"README.md"}

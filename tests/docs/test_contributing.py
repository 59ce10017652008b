"""CONTRIBUTING names every folder of tests and of the source, and no command that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.pages import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def folders(parent: Path) -> set[str]:
    """The folders with Python in them, or below them."""
    return {entry.name for entry in parent.iterdir() if entry.is_dir() and any(entry.rglob("*.py"))}


def test_every_test_folder_is_named() -> None:
    assert set(re.findall(r"^\| `tests/(\w+)/` \|", TEXT, re.MULTILINE)) == folders(ROOT / "tests")


def test_every_source_folder_is_named() -> None:
    table = TEXT.partition("from top to bottom:")[2].partition("Beside them")[0]
    rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == folders(ROOT / "src" / "sternpost")


def test_every_command_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z][\w-]+)", TEXT)) <= targets

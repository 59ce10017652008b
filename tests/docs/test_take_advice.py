"""The page on advice shows what the commands print in a terminal of 80 columns, and a section that is read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sternpost.advice.api_style import API_STYLE
from sternpost.advice.design import SECTION, design_factors
from tests.docs.pages import DOCS, Block, blocks
from tests.support.commands import Shell

PAGE = DOCS / "how-to" / "take-advice.md"
COLUMNS = 80
COLOR = re.compile(r"\x1b\[[0-9;]*m")


def section() -> str:
    [found] = blocks(PAGE, "toml")
    assert found.code.startswith(SECTION)
    return found.code


@pytest.mark.parametrize("block", blocks(PAGE, "console"), ids=lambda block: f"line {block.line}")
def test_commands_print_what_is_shown(block: Block, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(section(), encoding="utf-8")
    command, _, shown = block.code.removeprefix("$ sternpost ").partition("\n")
    printed = COLOR.sub("", Shell(tmp_path, "sqlite://").in_terminal(*command.split(), columns=COLUMNS))
    assert [line.rstrip() for line in printed.splitlines()] == [line.rstrip() for line in shown.splitlines()]


def test_the_section_is_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(section(), encoding="utf-8")
    assert design_factors(tmp_path) == {"simple-crud": True, "subscriptions": False, "public-api": True}


def test_every_key_is_named() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("The keys are ")[2]
    assert [factor.name for factor in API_STYLE.factors if f"`{factor.name}`" not in text] == []

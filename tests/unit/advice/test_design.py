"""`[tool.sternpost.design]` in pyproject.toml: what is read, what is refused, and what is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from sternpost.advice.api_style import API_STYLE
from sternpost.advice.design import SECTION, design_block, design_factors
from sternpost.errors import StartupError

KEYS = "different-data-needs, simple-crud, subscriptions, service-to-service, public-api, low-bandwidth"


def read(folder: Path, text: str) -> dict[str, bool]:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return design_factors(folder)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(StartupError) as refused:
        read(folder, text)
    return str(refused.value)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    factors = {factor.name: at % 2 == 0 for at, factor in enumerate(API_STYLE.factors)}
    assert read(tmp_path, design_block(factors)) == factors
    assert design_block({"public-api": True, "simple-crud": False}) == (
        f"{SECTION}\nsimple-crud = false\npublic-api = true\n"
    )


@pytest.mark.parametrize("text", ["", "[project]\n", "[tool.sternpost]\napp = 'a:b'\n", f"{SECTION}\n"])
def test_nothing_is_said(text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text) == {}


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    assert design_factors(tmp_path) == {}


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    text = f"{SECTION}\npublic-api = true\npublic_api = true\n"
    assert refusal(tmp_path, text) == f"{SECTION} in pyproject.toml has no key 'public_api'; the keys are {KEYS}"


@pytest.mark.parametrize(("written", "shown"), [('"yes"', "'yes'"), ("1", "1"), ("[true]", "[True]")])
def test_what_is_neither_true_nor_false_is_refused(written: str, shown: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, f"{SECTION}\npublic-api = {written}\n") == (
        f"public-api under {SECTION} in pyproject.toml is {shown}; write true or false. The keys are {KEYS}"
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [("tool = 1", "tool"), ("tool.sternpost = 1", "sternpost"), ("tool.sternpost.design = 1", "design")],
)
def test_what_is_no_table_is_refused(text: str, key: str, tmp_path: Path) -> None:
    assert refusal(tmp_path, text) == f"{key} in pyproject.toml is no table; write {SECTION}"


@pytest.mark.parametrize("content", [b"[tool", b"\xff"])
def test_a_file_that_cannot_be_read_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(content)
    with pytest.raises(StartupError, match=r"^pyproject\.toml cannot be read: "):
        design_factors(tmp_path)

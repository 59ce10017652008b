"""Every mistake a contract can have: what it is refused with, word for word, and where."""

from __future__ import annotations

import re
import warnings

import pytest

from sternpost.compile.diagnostics import Report
from sternpost.compile.features import ALL_CODES as CODES
from sternpost.contract.source import Source
from tests.reject.harness import CONTRACTS, expected, names, refusal


@pytest.fixture(autouse=True)
def in_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages show paths relative to the current folder."""
    monkeypatch.chdir(CONTRACTS)


@pytest.mark.parametrize("name", names())
def test_the_contract_is_refused_with_this_text(name: str) -> None:
    assert f"{refusal(name)}\n" == expected(name), "if this is better: python tests/reject/regenerate.py"


@pytest.mark.parametrize("name", names())
def test_each_mistake_has_a_place_a_cause_and_a_fix(name: str) -> None:
    lines = (CONTRACTS / f"{name}.py").read_text(encoding="utf-8").splitlines()
    for diagnostic in refusal(name).diagnostics:
        assert diagnostic.source.file == str(CONTRACTS / f"{name}.py")
        assert lines[diagnostic.source.line - 1].strip(), "the place is an empty line"
        assert diagnostic.message
        assert diagnostic.fix
        assert " object at 0x" not in diagnostic.message, "the message would differ from run to run"


@pytest.mark.parametrize("name", [name for name in names() if name.startswith("sp")])
def test_the_mistake_that_the_file_is_named_after_is_told(name: str) -> None:
    code = name.split("_")[0].upper()
    assert code in {diagnostic.code for diagnostic in refusal(name).diagnostics}


@pytest.mark.parametrize("name", names())
def test_mistakes_come_in_the_order_of_the_lines(name: str) -> None:
    places = [diagnostic.source.line for diagnostic in refusal(name).diagnostics]
    assert places == sorted(places)


def test_every_code_is_provoked() -> None:
    provoked = {code for name in names() for code in re.findall(r"^\S+:\d+: (SP\d{3}) ", expected(name), re.MULTILINE)}
    assert provoked == set(CODES)


def test_every_code_has_a_meaning_of_its_own() -> None:
    assert len(set(CODES.values())) == len(CODES)
    assert all(re.fullmatch(r"SP[0-7]\d\d", code) for code in CODES)
    assert list(CODES) == sorted(CODES)


def test_every_text_has_a_contract() -> None:
    assert {path.stem for path in CONTRACTS.glob("*.txt")} == set(names())


def test_many_mistakes_are_told_at_once() -> None:
    assert len({diagnostic.code for diagnostic in refusal("many_mistakes").diagnostics}) >= 15


def test_a_code_that_is_not_listed_cannot_be_reported() -> None:
    with pytest.raises(KeyError, match="SP999"):
        Report().add(Source("contract.py", 1), "SP999", "nothing", "nothing")


def test_a_contract_without_mistakes_raises_nothing() -> None:
    Report().raise_if_any()


def test_compiling_bad_patterns_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        refusal("sp207_pattern")

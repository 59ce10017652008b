"""Which regular expressions every language reads alike."""

from __future__ import annotations

import pytest

from sternpost.compile.patterns import wrong_pattern
from sternpost.contract.types import EMAIL_PATTERN


@pytest.mark.parametrize(
    "pattern",
    ["^[a-z]+$", "a|b", "(?:ab)+", r"\d{2,}", r"[(?P+]+", r"\(\?", r"[]a]+", r"\\+", EMAIL_PATTERN, "", "ä+?"],
)
def test_shared(pattern: str) -> None:
    assert wrong_pattern(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "[a",
        "a**",
        "(?P<x>a)",
        "(?i)a",
        "(?=a)",
        "(?<!a)b",
        r"(a)\1",
        r"a\Z",
        r"\Aa",
        "a*+",
        "a++",
        "[[a]",
        5,
        None,
        b"a",
    ],
)
def test_not_shared(pattern: object) -> None:
    assert wrong_pattern(pattern)

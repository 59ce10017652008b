"""What log lines show of texts that a client chose: addresses are masked, in time that grows as the text does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sternpost.clock import SystemClock
from sternpost.telemetry.log import MASK, TEXT_MAX, Log
from tests.support.rounds import drawing

PLAINLY = re.compile(r"[^\s/@,;:'\"<>()]+@[^\s/@,;:'\"<>()]+")


def masked(text: str) -> str:
    log = Log("test", SystemClock(), sensitive=frozenset(), write=lambda line: None)
    return log.masked({"text": text})["text"]


@drawing(500)
@given(st.text(alphabet="ab@,/ .é", max_size=40))
def test_whatever_looks_like_an_address_is_masked(text: str) -> None:
    assert masked(text) == PLAINLY.sub(MASK, text)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", ["x@," + "a" * TEXT_MAX, "a" * (TEXT_MAX - 1) + "@", "a@" * TEXT_MAX, "@" * TEXT_MAX])
def test_long_texts_take_little_time(text: str) -> None:
    """A search that begins anew at each character takes half a second for each of these."""
    for _ in range(500):
        assert len(masked(text)) <= TEXT_MAX + 1

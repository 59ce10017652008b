"""What a terminal obeys or hides is written as an escape, and JSON keeps its meaning."""

from __future__ import annotations

import sys
from unicodedata import category

import orjson
import pytest

from sternpost.visible import visible, visible_json

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
CONTROLS = "".join(map(chr, (*range(0x20), 0x7F, *range(0x80, 0xA0))))


@pytest.mark.parametrize(
    "character", [*CONTROLS, *BIDI, "\u200b", "\u2028", "\u2029", "\ufeff", "\U000e0041", "\udc9b"]
)
def test_what_a_terminal_obeys_or_hides_is_escaped(character: str) -> None:
    shown = visible(f"a{character}b")
    assert (
        shown == f"a{character.encode('unicode_escape', 'surrogatepass').decode()}b"
        or shown == f"a\\x{ord(character):02x}b"
    )
    assert shown.isprintable()


@pytest.mark.parametrize(
    "text", ["", "plain", "Zoë – “quotes” – 日本語 – שלום – مرحبا – 🙂", "1\u00a0000", "\ue0b0", "a\\x1b"]
)
def test_what_can_be_read_stays(text: str) -> None:
    assert visible(text) == text


def test_every_character_of_unicode_is_decided_by_its_category() -> None:
    obeyed = {chr(at) for at in range(sys.maxunicode + 1) if category(chr(at)) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert {each for each in map(chr, range(sys.maxunicode + 1)) if visible(each) != each} == obeyed


def test_line_breaks_stay_where_the_text_has_several_lines() -> None:
    assert visible("a\nb\tc\rd", keep="\n\t") == "a\nb\tc\\x0dd"


def test_json_keeps_its_meaning() -> None:
    value = {f"key {BIDI}": [CONTROLS, "\U000e0041", "🙂 שלום", {"a": "\u2028"}]}
    for option in (0, orjson.OPT_APPEND_NEWLINE | orjson.OPT_INDENT_2):
        encoded = orjson.dumps(value, option=option)
        escaped = visible_json(encoded)
        assert escaped != encoded
        assert orjson.loads(escaped) == value
        assert all(each == "\n" or visible(each) == each for each in escaped.decode())
        assert "🙂 שלום" in escaped.decode()
    plain = orjson.dumps({"a": "Zoë\n"})
    assert visible_json(plain) == plain

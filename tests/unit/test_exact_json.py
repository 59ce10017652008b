"""JSON whose numbers keep every digit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sternpost import exact_json

digits = st.text("0123456789", min_size=1, max_size=40)
numbers = st.builds(
    lambda sign, whole, part, power: sign + (whole.lstrip("0") or "0") + part + power,
    st.sampled_from(["", "-"]),
    digits,
    st.one_of(st.just(""), digits.map(".".__add__)),
    st.one_of(st.just(""), st.integers(-300, 300).map("e{}".format)),
)
texts = st.text().map(json.dumps)
documents = st.recursive(
    st.one_of(numbers, texts, st.sampled_from(["true", "false", "null"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda items: f"[ {' , '.join(items)} ]"),
        st.dictionaries(texts, inner, max_size=4).map(
            lambda members: "{" + ",\n".join(f"{name} : {value}" for name, value in members.items()) + "}"
        ),
    ),
)


def exactly(text: str | bytes) -> Any:
    """With every number as what it is, whatever its form."""
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


@given(documents)
def test_a_document_of_the_database_is_written_as_it_is(text: str) -> None:
    written = orjson.dumps(exact_json.read(text))
    assert exactly(written) == exactly(text)
    assert b"\n" not in written, "an export has one row in a line"


@given(documents)
def test_what_an_author_sees_is_written_back_unchanged(text: str) -> None:
    seen = exact_json.to_author(exact_json.read(text))
    assert exactly(exact_json.dumps(seen)) == exactly(text)
    assert exactly(orjson.dumps(exact_json.to_document(seen))) == exactly(text)


@given(documents)
def test_numbers_that_a_float_keeps_are_floats(text: str) -> None:
    def check(value: Any) -> None:
        if isinstance(value, Decimal):
            assert Decimal(repr(float(value))) != value
        for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            check(item)

    check(exact_json.loads(text))


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("12345678901234567890123", 12345678901234567890123),
        ("0.1234567890123456789", Decimal("0.1234567890123456789")),
        ("1e400", Decimal("1e400")),
        ("0.1", 0.1),
        ("9223372036854775807", 2**63 - 1),
        (r'"\ud83d"', "\ud83d"),
        ('{"a b": "c  d\\" e", "n": 1234567890123456789012}', {"a b": 'c  d" e', "n": 1234567890123456789012}),
    ],
)
def test_single_values(text: str, seen: Any) -> None:
    found = exact_json.read(text)
    assert exact_json.to_author(found) == seen
    assert type(exact_json.to_author(found)) is type(seen)
    assert exactly(orjson.dumps(found)) == exactly(text)


def test_a_deep_document_is_written_but_not_looked_into() -> None:
    text = 1500 * "[" + 1500 * "]"
    found = exact_json.read(text)
    assert orjson.dumps(found).decode() == text


@pytest.mark.parametrize("text", ["", "{", "nope", "NaN", "[1,]", "Infinity"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|char|Expecting"):
        exact_json.read(text)


def test_what_json_does_not_know_is_refused() -> None:
    with pytest.raises(TypeError):
        exact_json.dumps({"a": [object()]})

"""What JSON may hold is found out before it is read, exactly, and in time that grows with its size alone."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sternpost.errors import Invalid
from sternpost.protocols.http.edge import Edge
from sternpost.protocols.http.json_limits import check_json
from tests.support.rounds import drawing, rounds

SMALL = Edge(json_depth_max=4, json_members_max=12)


def refused(body: bytes, edge: Edge = SMALL) -> str | None:
    """The code of the problem; None where there is none."""
    try:
        check_json(body, edge)
    except Invalid as error:
        return error.details[0].code
    return None


class Object(list[tuple[str, Any]]):
    """The members of an object as they are written."""


def expected(value: Any) -> set[str]:
    """What is wrong with a value, counted in the simplest way."""
    wrong: set[str] = set()
    members = 0

    def look(each: Any, depth: int) -> None:
        nonlocal members
        if not isinstance(each, list):
            return
        members += max(len(each), 1)  # commas and containers: an empty one counts as one with a single item
        if depth > SMALL.json_depth_max:
            wrong.add("too_deep")
        names = [name for name, _ in each] if isinstance(each, Object) else []
        if len(names) != len(set(names)):
            wrong.add("duplicate_member")
        for item in each:
            look(item[1] if isinstance(each, Object) else item, depth + 1)

    look(value, 1)
    return wrong | ({"too_many_members"} if members > SMALL.json_members_max else set())


def written(value: Any) -> str:
    if isinstance(value, Object):
        return "{" + ", ".join(f"{name_of(name)}:{written(item)}" for name, item in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(written(each) for each in value) + "]"
    return json.dumps(value)


def name_of(name: str) -> str:
    """A name, now and then with its first character escaped: it is the same one."""
    return f'"\\u{ord(name[0]):04x}{json.dumps(name[1:])[1:]}' if name[:1].isalpha() else json.dumps(name)


NAMES = st.sampled_from(["a", "b", "aa", ":", '"', "\\", "", "é", ",", "[{", '\\"', "a:"])
LEAVES = st.one_of(st.none(), st.integers(), NAMES, st.text(max_size=5).filter(str.isprintable))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(NAMES, inner), max_size=4).map(Object),
    max_leaves=12,
)


@rounds(500, 5000)
def test_what_json_holds_is_found_out_exactly(rounds: int) -> None:
    @drawing(rounds)
    @given(VALUES)
    def compare(value: Any) -> None:
        found, wrong = refused(written(value).encode()), expected(value)
        assert (found in wrong) if wrong else (found is None), (written(value), wrong)

    compare()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"[" * 100 + b"]" * 100, None),
        (b"[" * 101 + b"]" * 101, "too_deep"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, None),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "too_deep"),
        (b"[" * 10_000, "too_deep"),
        (b"[" * 1_000_000, "too_deep"),
        (b'["' + b"[" * 1000 + b'"]', None),
        (b'["\\"' + b"[" * 1000 + b'"]', None),
        (b'["\\\\",' + b"[" * 100 + b"]" * 100 + b"]", "too_deep"),
        (b"[" + b"1," * 99_998 + b"1]", None),
        (b"[" + b"1," * 99_999 + b"1]", None),
        (b"[" + b"1," * 100_000 + b"1]", "too_many_members"),
        (b"[" + b"[]," * 60_000 + b"1]", "too_many_members"),
        (b'["' + b"," * 200_000 + b'"]', None),
        (b'{"a":1,"a":2}', "duplicate_member"),
        (b'{"a":1,"\\u0061":2}', "duplicate_member"),
        (b'{"x":[{"y":{"a":1,"b":2,"a":3}}]}', "duplicate_member"),
        (b'{"":1,"":2}', "duplicate_member"),
        (b'{"a":":","a":1}', "duplicate_member"),
        (b'{"a":1,"b":"a\\":a"}', None),
        (b'{"a":NaN,"b":1,"b":2}', "duplicate_member"),  # which readers take that are less strict
        (b'{"a":1e400,"b":1,"b":2}', "duplicate_member"),
        (b'{"a":{"b":1},"c":{"b":1}}', None),
        (b'{"a":1,"A":2}', None),
        (b"", None),
        (b"nonsense: [:", None),
        (b"\xff\xfe{:}:", None),
        ('{"a":1,"a":2}'.encode("utf-16"), "duplicate_member"),
    ],
)
def test_at_the_limits(body: bytes, code: str | None) -> None:
    assert refused(body, Edge()) == code


@pytest.mark.parametrize(
    "unit",
    [b'\\"', b'"', b'"\\', b"\\", b'"",', b'"a":', b":", b"[]", b'{"a":1},', b'"\\u0061":1,', b'\\"[', b"}{"],
)
@pytest.mark.parametrize("start", [b"", b"[" * 101, b"[" * 101 + b'"', b'{"a":1,"b":"', b'{"a":1,"b":[', b'{"a":NaN,'])
def test_the_time_grows_with_the_size_alone(start: bytes, unit: bytes) -> None:
    """A megabyte of anything takes less than a second on a busy machine. With a pattern for texts that begins anew at
    each quote, forty kilobytes took six seconds."""
    body = start + unit * (1_000_000 // len(unit))
    started = time.process_time()
    refused(body, Edge())
    assert time.process_time() - started < 1

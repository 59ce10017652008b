"""The kinds of fields are one table; what else names a kind is counted, so that the knowledge stays in one place."""

from __future__ import annotations

import ast
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import pytest

import sternpost
from sternpost.kinds import KINDS, KindName, Unfit
from sternpost.plan.model import FieldPlan

SOURCE = Path(sternpost.__file__).parent
PLACES = ("kinds.py", "storage/sqlite/", "storage/postgresql/", "migrations/", "infer/")
"""Where kinds are named by right: the table, the drivers, conversions, and the inference of types."""

VALIDATORS = "pipeline/inputs.py"
"""The validators of inputs, which `kinds.py` stays free of."""

NAMED_ELSEWHERE = 15
"""Further files that name a kind. Lower it with each that does not any more."""

ONLY_KINDS = {"decimal", "datetime", "uuid"}
"""Names that stand for nothing but a kind, wherever they are."""


def names_a_kind(path: Path) -> bool:
    return any(map(_names_a_kind, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))


def _names_a_kind(node: ast.AST) -> bool:
    match node:
        case ast.Constant(value=str(name)):
            return name in ONLY_KINDS
        case ast.Compare(left=ast.Attribute(attr="kind") | ast.Name(id="kind")):
            return _kinds_in(*node.comparators)
        case ast.Match(subject=ast.Attribute(attr="kind") | ast.Name(id="kind")):
            return _kinds_in(*(case.pattern for case in node.cases))
        case ast.keyword(arg="kind", value=value) | ast.Subscript(value=ast.Name(id="KINDS"), slice=value):
            return _kinds_in(value)
        case _:
            return False


def _kinds_in(*nodes: ast.AST) -> bool:
    inner = (each for node in nodes for each in ast.walk(node))
    return any(isinstance(each, ast.Constant) and each.value in get_args(KindName) for each in inner)


def test_no_further_file_names_a_kind() -> None:
    named = [path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if names_a_kind(path)]
    elsewhere = sorted(name for name in named if not name.startswith((*PLACES, VALIDATORS)))
    assert len(elsewhere) == NAMED_ELSEWHERE, elsewhere


def test_the_table_is_whole() -> None:
    assert set(KINDS) == set(get_args(KindName))
    assert all(name == kind.name for name, kind in KINDS.items())


VALUES: dict[KindName, tuple[Any, Any]] = {
    "uuid": (UUID(int=7), str(UUID(int=7))),
    "boolean": (True, True),
    "string": ("a", "a"),
    "integer": (7, 7),
    "number": (1.5, 1.5),
    "decimal": (Decimal("1.50"), "1.50"),
    "datetime": (datetime(2026, 1, 31, 12, 30, tzinfo=UTC), "2026-01-31T12:30:00Z"),
    "date": (date(2026, 1, 31), "2026-01-31"),
    "time": (time(12, 30), "12:30:00"),
    "duration": (timedelta(days=1, hours=2, seconds=0.5), "P1DT2H0.5S"),
    "ip": (ip_address("2001:db8::1"), "2001:db8::1"),
    "bytes": (b"\x00\xff", "AP8="),
    "enum": ("new", "new"),
    "json": ({"a": [1]}, {"a": [1]}),
}


@pytest.mark.parametrize("name", sorted(VALUES))
def test_values_come_from_constants_and_texts(name: KindName) -> None:
    value, ready = VALUES[name]
    kind, field = KINDS[name], FieldPlan(name="f", public_name="f", kind=name, choices=("new",), decimal_places=2)
    assert isinstance(value, kind.types)
    assert kind.constant(value, field) == ready
    assert kind.read(ready) == value
    assert kind.read(value) == value
    if kind.from_text is not None:
        text = "true" if name == "boolean" else str(ready)
        assert kind.from_text(field)(text) == value
    with_bounds = FieldPlan(name="f", public_name="f", kind=name, minimum=ready, maximum=ready)
    assert kind.schema(with_bounds) is not kind.schema(with_bounds), "callers add to what they get"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "usr_1"),
        ("integer", True),
        ("integer", 2**63),
        ("number", float("inf")),
        ("number", True),
        ("decimal", "1.234"),
        ("decimal", "NaN"),
        ("decimal", "x"),
        ("datetime", datetime(2026, 1, 31)),
        ("date", datetime(2026, 1, 31, tzinfo=UTC)),
        ("string", "\0"),
        ("string", "\ud800"),
        ("enum", "old"),
        ("time", time(12, tzinfo=UTC)),
        ("duration", timedelta.max),
        ("duration", timedelta.min),
        ("ip", "192.0.2.0/24"),
        ("ip", 7),
        ("bytes", "AP8="),
        ("uuid", "x"),
        ("json", {1, 2}),
    ],
)
def test_what_is_no_constant(name: KindName, value: Any) -> None:
    field = FieldPlan(name="f", public_name="f", kind=name, choices=("new",), decimal_places=2)
    assert KINDS[name].constant(value, field) is None


@pytest.mark.parametrize(
    ("name", "text", "code"),
    [
        ("datetime", "2026-01-31", "datetime_format"),
        ("datetime", "2026-02-30T00:00:00Z", "datetime_range"),
        ("date", "31.1.2026", "date_format"),
        ("date", "2026-02-30", "date_range"),
        ("string", "\0", "nul_character"),
    ],
)
def test_texts_that_are_refused_have_a_code(name: KindName, text: str, code: str) -> None:
    parse = KINDS[name].from_text
    assert parse is not None
    with pytest.raises(Unfit) as refused:
        parse(FieldPlan(name="f", public_name="f", kind=name))(text)
    assert refused.value.code == code

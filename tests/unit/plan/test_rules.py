"""Rules of columns: made from fields, written as conditions, read back from migration files, compared."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sternpost.plan.conditions import quoted_names, rules_in
from sternpost.plan.model import FieldPlan
from sternpost.plan.rules import (
    ColumnRule,
    Length,
    OneOf,
    Range,
    Truth,
    allow_all_of,
    merged,
    rules_of,
)
from sternpost.storage.postgresql.dialect import PostgresqlDialect
from sternpost.storage.sql.checks import condition
from sternpost.storage.sqlite.dialect import SqliteDialect


def field(kind: str, **facts: object) -> FieldPlan:
    return FieldPlan(name="x", public_name="x", kind=kind, **facts)  # type: ignore[arg-type]


FIELDS = [
    (field("enum", choices=("it's", "a, b")), (OneOf("x", ("it's", "a, b")),), """"x" IN ('it''s', 'a, b')"""),
    (field("string", min_length=1, max_length=9), (Length("x", 1, 9),), 'length("x") >= 1 AND length("x") <= 9'),
    (field("string", min_length=0), (), None),
    (field("integer", minimum=-(2**63), maximum=2**63 - 1), (), None),
    (field("integer", minimum=-3, maximum=2**63 - 1), (Range("x", -3),), '"x" >= -3'),
    (field("number", minimum=-1.5, maximum=1e300), (Range("x", -1.5, 1e300),), '"x" >= -1.5 AND "x" <= 1e+300'),
    (field("date", minimum="2026-01-01"), (), None),
    (field("string", max_length=9, column="Name"), (Length("Name", None, 9),), 'length("Name") <= 9'),
    (field("string", max_length=9, stored=(("max_length", 20),)), (Length("x", None, 20),), 'length("x") <= 20'),
]


@pytest.mark.parametrize(("plan", "rules", "text"), FIELDS)
def test_a_field_keeps_rules_that_are_written_and_read(
    plan: FieldPlan, rules: tuple[ColumnRule, ...], text: str | None
) -> None:
    assert rules_of(plan) == rules
    for dialect in (SqliteDialect(), PostgresqlDialect()):
        assert condition(plan, dialect) == text
    if text is not None:
        read = rules_in(text, brackets_quote=False)
        assert read is not None
        assert allow_all_of(read, rules)
        assert allow_all_of(rules, read)
        assert quoted_names(text) == {rules[0].column}


def test_what_databases_keep_differently_is_one_rule() -> None:
    price = field("decimal", minimum="1.50", decimal_places=2, max_digits=8)
    assert rules_of(price) == (Range("x", Decimal("1.50")),)
    assert (condition(price, SqliteDialect()), condition(price, PostgresqlDialect())) == ('"x" >= 150', '"x" >= 1.50')
    done = field("boolean")
    assert rules_of(done) == (Truth("x"),)
    assert (condition(done, SqliteDialect()), condition(done, PostgresqlDialect())) == ('"x" IN (0, 1)', None)


@pytest.mark.parametrize(
    ("older", "newer", "allowed"),
    [
        (OneOf("x", ("a",)), OneOf("x", ("a", "b")), True),
        (OneOf("x", ("a", "b")), OneOf("x", ("a",)), False),
        (Length("x", 1, 9), Length("x", None, 10), True),
        (Length("x", None, 9), Length("x", 1, 9), False),
        (Range("x", 1, 5), Range("x", 1), True),
        (Range("x", 1), Range("x", 1, 5), False),
        (Range("x", Decimal("1.5")), Range("x", 1), True),
        (Range("x", 1), Range("x", 1, above=True), False),
        (Range("x", 1), Length("x", 1), False),
        (Range("y", 1), Range("x", 1), False),
    ],
)
def test_newer_rules_allow_what_older_ones_did(older: ColumnRule, newer: ColumnRule, allowed: bool) -> None:
    assert allow_all_of([newer], [older]) is allowed
    assert allow_all_of([], [older])
    assert allow_all_of([newer], [newer])
    assert not allow_all_of([newer], [])


def test_rules_of_one_column_are_put_together() -> None:
    parts = [Range("x", 1), Range("x", 2, 9), Range("x", most=9, below=True), Length("y", 1), Length("y", 3, 5)]
    assert merged(parts) == (Range("x", 2, 9, below=True), Length("y", 3, 5))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("length(x) >= 3", Length("x", 3)),
        ("length(x) > 2", Length("x", 3)),
        ("length(x) <= 4", Length("x", None, 4)),
        ("5 > length(x)", Length("x", None, 4)),
    ],
)
def test_a_length_may_be_compared_in_each_way(text: str, rule: ColumnRule) -> None:
    assert rules_in(text, brackets_quote=False) == (rule,)


@pytest.mark.parametrize(
    "text",
    [
        *("x > y", "lower(x) = x", "x >= 'b'", "x <> 1", "(x IS NULL) = (y IS NULL)", "'"),
        *("y IS NULL OR x IN ('a', 'b')", "x IS NULL OR y IS NULL OR length(x) > 1", "x = 'a' OR y = 'b'"),
    ],
)
def test_a_condition_that_no_rule_says_is_not_understood(text: str) -> None:
    assert rules_in(text, brackets_quote=False) is None

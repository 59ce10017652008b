"""Rules over rows as data, and whether a row keeps them.

A condition has the nodes of policies, over fields of the row alone, and the meaning of SQL: a comparison with null is
neither true nor false, and only a row for which a check is known to be false breaks it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sternpost.kinds import READERS, KindName, without_case
from sternpost.plan.names import database_name
from sternpost.plan.policy import COMPARE, AllOf, AnyOf, Compare, Not, PolicyNode, ValueAt, paths
from sternpost.plan.query import EQUALITY

Row = Mapping[str, Any]
Test = Callable[[Row], bool | None]
"""Whether a condition holds for a row; None where that is not known."""

_ABSENT = object()
_SYMBOLS = {"eq": "==", "ne": "!=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


class Field(Protocol):
    """What is asked of a field here."""

    @property
    def name(self) -> str: ...
    @property
    def public_name(self) -> str: ...
    @property
    def kind(self) -> KindName: ...
    @property
    def ignore_case(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class CheckPlan:
    """A condition that every row keeps.

    Attributes:
        name: the code of the details of its error.
        message: what clients are told; nothing for the condition itself.
        fields: those that it looks at.
    """

    name: str
    condition: PolicyNode
    message: str
    fields: tuple[str, ...]

    def rule(self, table: str) -> str:
        """Its name in the database."""
        return database_name("rule", table, self.name)


@dataclass(frozen=True, slots=True)
class OverlapPlan:
    """Spans of rows with the same keys do not overlap; those for which `where` is true.

    Attributes:
        keys: the fields that rows have in common, the tenant's first where there is one.
    """

    keys: tuple[str, ...]
    start: str
    end: str
    where: PolicyNode | None = None

    def rule(self, table: str) -> str:
        """Its name in the database."""
        return database_name("overlap", table, *self.keys, self.start, self.end)


# -- whether a row keeps them


def test_of(node: PolicyNode, fields: Mapping[str, Field]) -> Test:
    """The condition as a function of a row's values; a value that is not there is not known."""
    match node:
        case Compare(path, "isNull"):
            return _is_null(path[0])
        case Compare():
            return _comparison(node, fields)
        case AllOf(parts):
            return _joined([test_of(part, fields) for part in parts], decisive=False)
        case AnyOf(parts):
            return _joined([test_of(part, fields) for part in parts], decisive=True)
        case Not(part):
            return _negated(test_of(part, fields))
        case _:
            raise AssertionError(f"{type(node).__name__} is no condition on a row")


def _is_null(name: str) -> Test:
    def test(row: Row) -> bool | None:
        value = row.get(name, _ABSENT)
        return None if value is _ABSENT else value is None

    return test


def _comparison(node: Compare, fields: Mapping[str, Field]) -> Test:
    field, operator = fields[node.path[0]], node.operator
    folded = field.ignore_case and operator in EQUALITY
    other = node.value.path[0] if isinstance(node.value, ValueAt) else None
    constant: Any = None
    if other is None:
        given = node.value if isinstance(node.value, tuple) else (node.value,)
        read = [READERS[field.kind](value) if field.kind in READERS else value for value in given]
        constant = without_case(read) if folded else read
        constant = constant if operator == "in" else constant[0]
    compare: Callable[[Any, Any], Any] = (
        (lambda value, among: value in among) if operator == "in" else COMPARE[operator]
    )

    def test(row: Row) -> bool | None:
        value = row.get(field.name)
        against = constant if other is None else row.get(other)
        if value is None or against is None:
            return None
        if folded:
            value, against = without_case(value), against if other is None else without_case(against)
        return bool(compare(value, against))

    return test


def _joined(tests: list[Test], *, decisive: bool) -> Test:
    def test(row: Row) -> bool | None:
        unknown = False
        for each in tests:
            found = each(row)
            if found is decisive:
                return decisive
            unknown = unknown or found is None
        return None if unknown else not decisive

    return test


def _negated(inner: Test) -> Test:
    def test(row: Row) -> bool | None:
        found = inner(row)
        return None if found is None else not found

    return test


# -- in words


def described(node: PolicyNode, fields: Mapping[str, Field]) -> str:
    """A condition in the names that clients see."""

    def named(name: str) -> str:
        return fields[name].public_name if name in fields else name

    def grouped(part: PolicyNode) -> str:
        return f"({described(part, fields)})" if isinstance(part, AllOf | AnyOf) else described(part, fields)

    match node:
        case Compare(path, "isNull"):
            return f"{named(path[0])} is null"
        case Compare(path, "in", value):
            return f"{named(path[0])} in {json.dumps(value, ensure_ascii=False)}"
        case Compare(path, operator, value):
            other = named(value.path[0]) if isinstance(value, ValueAt) else json.dumps(value, ensure_ascii=False)
            return f"{named(path[0])} {_SYMBOLS[operator]} {other}"
        case AllOf(parts):
            return " and ".join(map(grouped, parts))
        case AnyOf(parts):
            return " or ".join(map(grouped, parts))
        case Not(Compare(path, "isNull")):
            return f"{named(path[0])} is not null"
        case Not(part):
            return f"not ({described(part, fields)})"
        case _:
            raise AssertionError(f"{type(node).__name__} is no condition on a row")


def fields_of(node: PolicyNode) -> tuple[str, ...]:
    """The fields that a condition looks at, in one order on every machine."""
    return tuple(sorted({path[0] for path in paths(node)}))

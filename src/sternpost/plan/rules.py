"""The rules of a column as data: which values it may hold. A database's dialect writes them as a CHECK condition.

Rules that only a client's input has to keep, such as a pattern, are not here: no database shares the validator's
regular expressions.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan

_INT64 = (-(2**63), 2**63 - 1)
"""What a whole number is bounded by in any case, so that no rule has to say it."""

Number = int | float | Decimal


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of these texts, or of the texts of these numbers."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Length:
    """So many characters; None for no bound."""

    column: str
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two, which belong to it unless it lies `above` the least or `below` the most."""

    column: str
    least: Number | None = None
    most: Number | None = None
    above: bool = False
    below: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """True or false. A database with a type for it needs no condition."""

    column: str


ColumnRule = OneOf | Length | Range | Truth


def rules_of(field: FieldPlan) -> tuple[ColumnRule, ...]:
    """What the field's column keeps, which is what the widest version of the API allows."""
    stored = field.as_stored
    column = stored.column_name
    rules: list[ColumnRule] = []
    if stored.choices:
        rules.append(OneOf(column, stored.choices))
    if "max_length" in KINDS[stored.kind].bounds and (stored.min_length or stored.max_length):
        rules.append(Length(column, stored.min_length or None, stored.max_length or None))
    if KINDS[stored.kind].number:
        least, most = _bound(stored.minimum), _bound(stored.maximum)
        if least is not None or most is not None:
            rules.append(Range(column, least, most))
    if stored.kind == "boolean":
        rules.append(Truth(column))
    return tuple(rules)


def _bound(given: float | str | None) -> Number | None:
    if given is None or given in _INT64:
        return None
    return Decimal(given) if isinstance(given, str) else given


def merged(rules: Iterable[ColumnRule]) -> tuple[ColumnRule, ...]:
    """The same with one rule of a sort for each column: the bounds that are told apart are put together."""
    found: dict[tuple[type, str], ColumnRule] = {}
    for rule in rules:
        place = (type(rule), rule.column)
        other = found.get(place)
        match rule, other:
            case (Length(), Length()):
                found[place] = Length(rule.column, _larger(rule.least, other.least), _smaller(rule.most, other.most))
            case (Range(), Range()):
                found[place] = _both(rule, other)
            case (OneOf(), OneOf()):
                found[place] = OneOf(rule.column, tuple(value for value in other.values if value in rule.values))
            case _:
                found[place] = rule
    return tuple(found.values())


def _both(one: Range, other: Range) -> Range:
    low = max((r for r in (one, other) if r.least is not None), key=lambda r: (r.least or 0, r.above), default=one)
    high = min((r for r in (one, other) if r.most is not None), key=lambda r: (r.most or 0, not r.below), default=one)
    return replace(one, least=low.least, above=low.above, most=high.most, below=high.below)


def _larger(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else max(one, other)


def _smaller(one: int | None, other: int | None) -> int | None:
    return one if other is None else other if one is None else min(one, other)


def allow_all_of(newer: Iterable[ColumnRule], older: Iterable[ColumnRule]) -> bool:
    """Whether every value that keeps the older rules keeps the newer ones, too, as far as the rules tell."""
    before = {(type(rule), rule.column): rule for rule in merged(older)}
    return all(_allows_all_of(rule, before.get((type(rule), rule.column))) for rule in merged(newer))


def _allows_all_of(newer: ColumnRule, older: ColumnRule | None) -> bool:
    match newer, older:
        case (OneOf(), OneOf()):
            return set(older.values) <= set(newer.values)
        case (Length(), Length()):
            return _is_within(older.least, older.most, newer.least, newer.most)
        case (Range(), Range()):
            bounds = (older.least, older.most, newer.least, newer.most)
            within = _is_within(*(None if bound is None else Decimal(str(bound)) for bound in bounds))
            same_edges = not (newer.above or newer.below) or (newer.above, newer.below) == (older.above, older.below)
            return within and same_edges
        case _:
            return newer == older


def _is_within(least: Number | None, most: Number | None, low: Number | None, high: Number | None) -> bool:
    return (low is None or (least is not None and least >= low)) and (
        high is None or (most is not None and most <= high)
    )

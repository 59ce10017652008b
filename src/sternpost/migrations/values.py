"""Values for the rows that migrations are tried on: they fit the rules of a column, and what it becomes later."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Any
from uuid import UUID

from sternpost.migrations.renames import with_names
from sternpost.plan.rules import ColumnRule, Length, OneOf, Range, merged
from sternpost.ports.conversions import DATE_TEXT, INSTANT_TEXT, NUMBER_TEXT, UUID_TEXT, WHOLE_TEXT
from sternpost.ports.schema import Check, Column, Shape, Sql, TableShape, Type
from sternpost.ports.steps import CreateTable, DropColumn, RenameColumn, RenameTable, Step

_FIRST_DAY = date(2026, 1, 1)
_TEXTS = ("string", "enum")
_NUMBERS = ("integer", "number", "decimal")
_TEXTS_OF = {
    "integer": WHOLE_TEXT,
    "number": NUMBER_TEXT,
    "decimal": NUMBER_TEXT,
    "boolean": "true|false",
    "uuid": UUID_TEXT,
    "date": DATE_TEXT,
    "datetime": INSTANT_TEXT,
}
"""The texts that can become values of another form."""


@dataclass(frozen=True)
class Stage:
    """What a column's values are at some time, and the rules that they keep then."""

    type: Type
    rules: tuple[ColumnRule, ...]

    @property
    def form(self) -> str:
        return self.type.form.partition("(")[0]


Fates = Mapping[tuple[str, str], Sequence[Stage]]
"""By table and column: what later migrations make of it, in their order."""


def fates_of(shape: Shape, later: Iterable[tuple[Sequence[Step], Shape]]) -> Fates:
    """What becomes of the columns of a schema in later migrations, each with the schema that it leads to."""
    names = {
        (table.name, column.name): (table.name, column.name) for table in shape.values() for column in table.columns
    }
    found: dict[tuple[str, str], list[Stage]] = {place: [] for place in names}
    for steps, after in later:
        for step in steps:
            names = _followed(names, step)
        for origin, (table, column) in names.items():
            if table in after and any(one.name == column for one in after[table].columns):
                checks = [rule for rule in after[table].rules if isinstance(rule, Check)]
                rules = [rule for check in checks for rule in check.rules or () if rule.column == column]
                found[origin].append(Stage(after[table].column(column).type, tuple(rules)))
    return found


@dataclass(frozen=True)
class Demand:
    """What the rows of a table have to keep beside the rules of single columns, now and after later migrations.

    Attributes:
        conditions: on a row; each in the words of every database, with the names of now.
        spans: the columns of spans that may not overlap.
    """

    conditions: tuple[Sql, ...] = ()
    spans: frozenset[str] = frozenset()


def demands_of(shape: Shape, later: Iterable[tuple[Sequence[Step], Shape]]) -> Mapping[str, Demand]:
    """By table, what is asked of its rows. Of what later migrations ask, that about columns which are there already,
    and of the same type."""
    names = {
        (table.name, column.name): (table.name, column.name) for table in shape.values() for column in table.columns
    }
    found: dict[str, Demand] = {}
    for steps, after in ((), shape), *later:
        for step in steps:
            names = _followed(names, step)
        for table in shape.values():
            back = {
                there: now
                for (name, now), (to, there) in names.items()
                if name == table.name and to in after and _is_alike(table.column(now), after[to], there)
            }
            places = {to for (name, _), (to, _) in names.items() if name == table.name}
            for to in places & after.keys():
                found[table.name] = _joined(found.get(table.name, Demand()), after[to], back)
    return found


def _is_alike(column: Column, table: TableShape, name: str) -> bool:
    return any(each.name == name and each.type == column.type for each in table.columns)


def _joined(demand: Demand, table: TableShape, names: Mapping[str, str]) -> Demand:
    """A demand with what a table asks; `names` are those of its columns that are there already, with theirs of now."""
    checks = [rule for rule in table.rules if isinstance(rule, Check) and rule.rules is None]
    conditions = [
        Sql(
            *(
                None if text is None else with_names(text, names)
                for text in (c.condition.sqlite, c.condition.postgresql)
            )
        )
        for c in checks
        if c.columns <= names.keys()
    ]
    spans = {names[name] for each in table.overlaps for name in (each.start, each.end) if name in names}
    return Demand(tuple(dict.fromkeys((*demand.conditions, *conditions))), demand.spans | spans)


def _followed(names: dict[tuple[str, str], tuple[str, str]], step: Step) -> dict[tuple[str, str], tuple[str, str]]:
    """By the column of now, where it is after a step; without those that are gone."""
    match step:
        case RenameTable():
            return {at: (step.to if table == step.table else table, column) for at, (table, column) in names.items()}
        case RenameColumn():
            return {at: (step.table, step.to) if to == (step.table, step.column) else to for at, to in names.items()}
        case DropColumn():
            return {at: to for at, to in names.items() if to != (step.table, step.column)}
        case CreateTable():
            return {at: to for at, to in names.items() if to[0] != step.table.name}
        case _:
            return names


def fitting_value(stages: Sequence[Stage], number: int) -> Any:
    """A value for the first stage that fits the later ones, too, as far as there is one; None where there is none."""
    form = stages[0].form
    if form in _TEXTS:
        return _fitting_text(stages, number)
    if form in _NUMBERS:
        numbers = list(takewhile(lambda stage: stage.form in _NUMBERS, stages))
        return _of_form(form, [rule for stage in numbers for rule in _bounded(stage)], number)
    return _of_form(form, stages[0].rules, number)


def _fitting_text(stages: Sequence[Stage], number: int) -> str | None:
    texts = list(takewhile(lambda stage: stage.form in _TEXTS, stages))
    becomes = stages[len(texts)].form if len(texts) < len(stages) else "string"
    for stage in texts:
        for rule in stage.rules:
            if isinstance(rule, OneOf):
                fitting = [text for text in rule.values if re.fullmatch(_TEXTS_OF.get(becomes, ".*"), text, re.DOTALL)]
                return fitting[number % len(fitting)] if fitting else None
    rules = merged(rule for stage in texts for rule in stage.rules)
    length = next((rule for rule in rules if isinstance(rule, Length)), None)
    if becomes not in _TEXTS_OF:
        return _text(number, length)
    later = fitting_value(stages[len(texts) :], number)
    text = _as_text(later)
    return None if length is not None and length.most is not None and len(text) > length.most else text


def _as_text(value: Any) -> str:
    match value:
        case bool():
            return str(value).lower()
        case datetime():
            return value.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
        case UUID():
            return value.hex
        case _:
            return str(value)


def _bounded(stage: Stage) -> Iterable[ColumnRule]:
    """The rules of a number, and the digits of its type."""
    yield from stage.rules
    if stage.type.digits is not None:
        digits, places = stage.type.digits
        most = 10 ** (digits - places) - 1
        yield Range("", -most, most)


def _of_form(form: str, rules: Iterable[ColumnRule], number: int) -> Any:
    match form:
        case "id":
            return f"{number:032x}"
        case "uuid":
            return UUID(int=number)
        case "integer" | "position" | "number":
            return int(_within(number, _range(rules)))
        case "decimal":
            return _within(number, _range(rules))
        case "boolean":
            return number % 2 == 1
        case "datetime":
            at = time(number % 24, number % 60, 0, 100000 + number % 100000, UTC)
            return datetime.combine(_FIRST_DAY + timedelta(days=number), at)
        case "date":
            return (_FIRST_DAY + timedelta(days=number)).isoformat()
        case "time":
            return time(number % 24, number % 60).isoformat()
        case "duration":
            return number
        case "ip":
            return f"192.0.2.{number % 256}"
        case "bytes":
            return str(number).encode()
        case "json":
            return f'{{"number": {number}}}'
        case _:
            return _text(number, next((rule for rule in rules if isinstance(rule, Length)), None))


def _range(rules: Iterable[ColumnRule]) -> Range | None:
    """The bounds of all rules together; those of the first where no number keeps all of them."""
    found = [Range("", rule.least, rule.most, rule.above, rule.below) for rule in rules if isinstance(rule, Range)]
    both = next((rule for rule in merged(found) if isinstance(rule, Range)), None)
    if both is None or both.least is None or both.most is None or Decimal(both.least) <= Decimal(both.most):
        return both
    return found[0]


def _text(number: int, length: ColumnRule | None) -> str:
    if not isinstance(length, Length):
        return str(number)
    text = str(number).rjust(length.least or 0, "0")
    return text if length.most is None else text[-length.most :]


def _within(number: int, bounds: Range | None) -> Decimal:
    """The number, moved between the bounds where it does not lie there."""
    if bounds is None:
        return Decimal(number)
    low, high = (None if bound is None else Decimal(str(bound)) for bound in (bounds.least, bounds.most))
    if low is None:
        low = Decimal(0) if high is None or high >= 0 else high - 1000
    if number >= low and (high is None or number <= high):
        return Decimal(number)
    return low + number if high is None else low + number % (int(high - low) + 1)

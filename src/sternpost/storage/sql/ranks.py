"""Enums whose values have an order, in SQL: a value's place in it is a number, by which rows are sorted.

An index holds the same expression, so that a sorted list is one range of it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, case, literal_column

from sternpost.plan.model import FieldPlan
from sternpost.storage.sql.dialect import quoted


def rank(column: ColumnElement[Any], field: FieldPlan, *, external: bool) -> ColumnElement[Any]:
    """What a column is sorted by: the place of its value in the order of an enum.

    Args:
        external: whether the column may hold other values, which no rule of Sternpost keeps out: they come last. Where
            it may be null they count as null.
    """
    places = [(_text(value), _number(place)) for place, value in enumerate(field.ranks)]
    last = _number(len(places)) if external and not field.nullable else None
    return case(*places, value=column, else_=last)


def indexed_rank(field: FieldPlan) -> ColumnElement[Any]:
    """The same as an index of Sternpost's own table holds it, with its name in quotes: one text on every database."""
    places = " ".join(f"WHEN {quoted(value)} THEN {place}" for place, value in enumerate(field.ranks))
    return _written(f'(CASE "{field.column_name}" {places} END)')


def _text(value: str) -> ColumnElement[Any]:
    return _written(quoted(value))


def _number(place: int) -> ColumnElement[Any]:
    return _written(str(place))


def _written(text: str) -> ColumnElement[Any]:
    found: ColumnElement[Any] = literal_column(text)
    return found

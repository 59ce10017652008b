"""A search as SQL: which rows it finds, and how well they fit. What an index of words looks like is the dialect's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, FromClause, case, literal_column

from sternpost.plan.model import ResourcePlan
from sternpost.plan.names import search_name
from sternpost.plan.query import RANK, Matches
from sternpost.storage.sql.dialect import Codec, Dialect, SearchDialect
from sternpost.storage.sql.statement import Assembly

Words = Sequence[str]


class Searching:
    """The parts of statements that search one resource."""

    def __init__(self, dialect: Dialect, resource: ResourcePlan, node: Matches) -> None:
        self._search: SearchDialect = dialect.search
        self._name = search_name(resource.table)
        self._node = node
        self._numbers = tuple(resource.searched.index(name) for name in node.fields)

    def condition(self, table: FromClause, assembly: Assembly) -> ColumnElement[bool]:
        """That the row is found."""
        return self._found(table, _every(self._search, self._numbers), "", assembly)

    def rank(self, table: FromClause, assembly: Assembly) -> ColumnElement[Any]:
        """How far the row is from the best that could be found: see `plan.query.Order`."""
        parts = [self._word(place, table, assembly) for place in range(self._node.words)]
        return sum(parts[1:], start=parts[0]).label(RANK[0])

    def _word(self, place: int, table: FromClause, assembly: Assembly) -> ColumnElement[Any]:
        first, others = self._numbers[:1], self._numbers[1:]
        tests = [(first, True), (first, False), (others, True)] if others else [(first, True)]
        found = [
            self._found(table, _one(self._search, place, numbers, self._numbers, whole), f".{place}.{level}", assembly)
            for level, (numbers, whole) in enumerate(tests)
        ]
        return case(*((condition, _number(level)) for level, condition in enumerate(found)), else_=_number(len(found)))

    def _found(self, table: FromClause, write: Codec, part: str, assembly: Assembly) -> ColumnElement[bool]:
        asked = assembly.slot(self._node.slot, write, f".search{part}")
        return self._search.found(table, self._name, asked)


# the same object for the same question, so that a statement which asks it twice has one parameter of it


@cache
def _every(search: SearchDialect, numbers: tuple[int, ...]) -> Callable[[Words], str]:
    return lambda words: search.every(words, numbers)


@cache
def _one(
    search: SearchDialect, place: int, numbers: tuple[int, ...], among: tuple[int, ...], whole: bool
) -> Callable[[Words], str]:
    return lambda words: search.one(words, place, numbers, among, whole=whole)


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value))

"""A schema after a table or a column got another name: rules, indexes and references follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from sternpost.ports.schema import Check, ForeignKey, Index, NoOverlap, Rule, Shape, Sql, TableShape


def with_renamed_tables(shape: Shape, names: Mapping[str, str]) -> Shape:
    """The schema after tables got other names: what refers to them follows."""

    def rule(item: Rule) -> Rule:
        return replace(item, table=names.get(item.table, item.table)) if isinstance(item, ForeignKey) else item

    renamed = [replace(t, name=names.get(t.name, t.name), rules=tuple(map(rule, t.rules))) for t in shape.values()]
    return {table.name: table for table in renamed}


def with_renamed_column(shape: Shape, name: str, before: str, after: str) -> Shape:
    """The schema after a column got another name: rules and indexes follow."""
    return {**shape, name: with_renamed_columns(shape[name], {before: after})}


def with_renamed_columns(table: TableShape, names: Mapping[str, str]) -> TableShape:
    """The table after columns got other names, all at once: two may swap theirs."""

    def named(columns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(column, column) for column in columns)

    def condition(part: str | None) -> str | None:
        return None if part is None else with_names(part, names)

    def expression(part: str | None) -> str | None:
        return None if part is None else _WORD.sub(lambda found: _renamed(found, names), part)

    def rule(item: Rule) -> Rule:
        match item:
            case Check():
                return Check(item.name, Sql(condition(item.condition.sqlite), condition(item.condition.postgresql)))
            case _:
                return replace(item, columns=named(item.columns))

    def index(item: Index) -> Index:
        where = item.where and Sql(expression(item.where.sqlite), expression(item.where.postgresql))
        return replace(item, columns=tuple(str(expression(column)) for column in item.columns), where=where)

    def overlap(item: NoOverlap) -> NoOverlap:
        where = item.where and Sql(condition(item.where.sqlite), condition(item.where.postgresql))
        keys = tuple(str(expression(key)) for key in item.keys)
        start, end = named((item.start, item.end))
        return replace(item, keys=keys, start=start, end=end, where=where)

    return replace(
        table,
        columns=tuple(replace(column, name=names.get(column.name, column.name)) for column in table.columns),
        primary_key=replace(table.primary_key, columns=named(table.primary_key.columns)),
        rules=tuple(map(rule, table.rules)),
        indexes=tuple(map(index, table.indexes)),
        overlaps=tuple(map(overlap, table.overlaps)),
        search=table.search and replace(table.search, columns=named(table.search.columns)),
    )


def with_names(condition: str, names: Mapping[str, str]) -> str:
    """A condition with other names for columns."""
    return _QUOTED.sub(lambda found: _renamed(found, names), condition)


_QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?P<quoted>\w+)\"""")
"""A text, which stays as it is, or a name in quotes: a condition has no others."""
_WORD = re.compile(r"""'(?:[^']|'')*'|"(?P<quoted>\w+)"|(?P<word>\b[^\W\d]\w*\b)(?!\s*\()""")
"""The same, or a name without quotes, which is no function's: an index has those where no quotes are needed."""


def _renamed(found: re.Match[str], names: Mapping[str, str]) -> str:
    parts = found.groupdict()
    if quoted := parts["quoted"]:
        return f'"{names.get(quoted, quoted)}"'
    word = parts.get("word")
    return found.group() if word is None else names.get(word, word)

"""A schema after a table or a column got another name: rules, indexes and references follow."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from sternpost.ports.schema import Check, ForeignKey, Index, Rule, Shape, Sql


def with_renamed_tables(shape: Shape, names: Mapping[str, str]) -> Shape:
    """The schema after tables got other names: what refers to them follows."""

    def rule(item: Rule) -> Rule:
        return replace(item, table=names.get(item.table, item.table)) if isinstance(item, ForeignKey) else item

    renamed = [replace(t, name=names.get(t.name, t.name), rules=tuple(map(rule, t.rules))) for t in shape.values()]
    return {table.name: table for table in renamed}


def with_renamed_column(shape: Shape, name: str, before: str, after: str) -> Shape:
    """The schema after a column got another name: rules and indexes follow."""

    def named(columns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(after if column == before else column for column in columns)

    def text(part: str | None) -> str | None:
        return None if part is None else part.replace(f'"{before}"', f'"{after}"')

    def expression(part: str) -> str:
        return re.sub(rf'(?<![\w"]){re.escape(before)}(?![\w"])', after, part)

    def where(part: str | None) -> str | None:
        return None if part is None else expression(str(text(part)))

    def rule(item: Rule) -> Rule:
        match item:
            case Check():
                return Check(item.name, Sql(text(item.condition.sqlite), text(item.condition.postgresql)))
            case _:
                return replace(item, columns=named(item.columns))

    def index(item: Index) -> Index:
        condition = item.where and Sql(where(item.where.sqlite), where(item.where.postgresql))
        return replace(item, columns=tuple(str(where(column)) for column in item.columns), where=condition)

    table = shape[name]
    changed = replace(
        table,
        columns=tuple(replace(c, name=after) if c.name == before else c for c in table.columns),
        primary_key=replace(table.primary_key, columns=named(table.primary_key.columns)),
        rules=tuple(map(rule, table.rules)),
        indexes=tuple(map(index, table.indexes)),
    )
    return {**shape, name: changed}

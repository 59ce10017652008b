"""Statements that write: new rows, changes, removals, pairs of many-to-many relations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import and_, case, delete, select, update

from sternpost.plan.model import FieldPlan, RelationPlan, ResourcePlan
from sternpost.plan.query import ALL, Assignment, Modify, Remove, Upsert
from sternpost.storage.sql.builder import Builder
from sternpost.storage.sql.codecs import Decoder
from sternpost.storage.sql.operands import constant
from sternpost.storage.sql.schema import alive, unique_values
from sternpost.storage.sql.statement import Assembly, Statement

PARENT = "our.parent"
TARGET = "our.target"

VARIABLES_MAX = 32_000
"""Parameters of one statement: SQLite allows 32,766."""
ROWS_MAX = 500
"""Rows that one statement adds."""


class Writes(Builder):
    """Writes the statements that change a plan's rows."""

    # -- rows

    def insert(self, resource_name: str, names: tuple[str, ...]) -> tuple[Statement, Decoder]:
        """One new row, which comes back."""
        resource, table, assembly = self.begin(resource_name)
        fields = tuple(field.name for field in resource.fields)
        query = (
            self.dialect.insert(table)
            .values({name: assembly.value(name, self.codecs.encode_member(resource, name)) for name in names})
            .returning(*(table.c[name] for name in fields))
        )
        return assembly.statement(query), self.codecs.decoder(resource, fields)

    def insert_rows(
        self,
        resource_name: str,
        names: tuple[str, ...],
        rows: int,
        *,
        skip: bool,
        returning: tuple[str, ...],
        where: str = "",
    ) -> tuple[str, Decoder]:
        """Text for many new rows, whose values are bound as `Dialect.bind_rows` says; the key is the last column.

        Args:
            where: a condition for all of them, as SQL.
        """
        resource, table, _ = self.begin(resource_name)
        preparer = self.dialect.compiler.identifier_preparer
        column_of = {key: preparer.quote(column.name) for key, column in table.c.items()}
        columns = ", ".join(column_of[name] for name in names)
        types = [table.c[name].type.name for name in names]
        text = f"INSERT INTO {preparer.format_table(table)} ({columns}) {self.dialect.rows_source(types, rows)}"
        text += f" WHERE {where}" if where else ""
        text += " ON CONFLICT DO NOTHING" if skip else ""
        text += f" RETURNING {', '.join(column_of[column] for column in (*returning, 'id'))}"
        return text, self.codecs.decoder(resource, returning)

    def modify(self, modify: Modify) -> tuple[Statement, Decoder]:
        """A change of rows."""
        resource, table, assembly = self.begin(modify.resource)
        changes = {entry.field: self._assigned(entry, resource, table, assembly) for entry in modify.assignments}
        query: Any = (
            update(table)
            .where(*self.conditions.rows(resource, table, modify.where, assembly))
            .values(self.gate.bump_version(resource, table, changes))
        )
        if modify.returning:
            query = query.returning(*(table.c[name] for name in modify.returning))
        return assembly.statement(query), self.codecs.decoder(resource, modify.returning)

    def remove(self, remove: Remove) -> Statement:
        """A removal of rows that the database can do by itself."""
        resource, table, assembly = self.begin(remove.resource)
        return assembly.statement(delete(table).where(*self.conditions.rows(resource, table, remove.where, assembly)))

    def matching_keys(self, remove: Remove) -> Statement:
        """The keys of the rows that a removal is about."""
        resource, table, assembly = self.begin(remove.resource)
        found = select(table.c.id).where(*self.conditions.rows(resource, table, remove.where, assembly))
        return assembly.statement(found)

    def upsert(self, upsert: Upsert) -> tuple[Statement, Decoder]:
        """A new row, or the change of the one with the same key."""
        resource, table, assembly = self.begin(upsert.resource)
        changes = {entry.field: self._assigned(entry, resource, table, assembly) for entry in upsert.assignments}
        if changes:
            changes = self.gate.bump_version(resource, table, changes)
        visible = self.conditions.rows(resource, table, ALL, assembly)
        rule = next((rule for rule in resource.unique_rules.values() if rule.fields == upsert.key), None)
        query: Any = (
            self.dialect.insert(table)
            .values({name: assembly.value(name, self.codecs.encode_member(resource, name)) for name in upsert.names})
            .on_conflict_do_update(
                index_elements=unique_values(table, rule) if rule else [table.c[name] for name in upsert.key],
                index_where=alive(table) if resource.soft_delete and upsert.key != ("id",) else None,
                set_=changes or {upsert.key[0]: table.c[upsert.key[0]]},  # so that the row comes back
                where=and_(*visible) if visible else None,
            )
            .returning(*(table.c[name] for name in upsert.returning))
        )
        return assembly.statement(query), self.codecs.decoder(resource, upsert.returning)

    def _assigned(self, entry: Assignment, resource: ResourcePlan, table: Any, assembly: Assembly) -> Any:
        field, column = resource.fields_by_name[entry.field], table.c[entry.field]
        if entry.arithmetic in ("multiply", "divide") and field.decimal_places is not None:
            return self.dialect.in_range(self._product(entry, field, column, assembly), field)
        value = assembly.slot(entry.slot, self.codecs.encode(field))
        match entry.arithmetic:
            case "set":
                return value
            case "increment":
                found = column + value
            case "decrement":
                found = column - value
            case "multiply":
                found = column * value
            case "divide":
                found = column.op("/")(value)
        return self.dialect.in_range(found, field)

    def _product(self, entry: Assignment, field: FieldPlan, column: Any, assembly: Assembly) -> Any:
        """A decimal times a fraction: the slot holds the author's own number and the fraction's two whole numbers."""
        if not self.dialect.decimals_are_whole_numbers:
            # the author's number may have more places than the field: it is bound as any number is, not as the field's
            # value
            number = self.dialect.encode_average(field)
            value = assembly.slot(entry.slot, lambda factor: number(factor[0]) if number else factor[0])
            return column * value if entry.arithmetic == "multiply" else column.op("/")(value)
        # With the fraction p/q: (2·p·value ± q) / 2·q, where the database's division cuts off: so the product is
        # rounded, half away from zero.
        twice = column * assembly.slot(entry.slot, _twice_the_part, ".twice")
        whole = assembly.slot(entry.slot, _whole, ".whole")
        double = assembly.slot(entry.slot, _twice_the_whole, ".double")
        over = {"precedence": 8}  # that of a multiplication, so that a sum before it is put in parentheses
        return case(
            (twice >= constant("0"), (twice + whole).op("/", **over)(double)),
            else_=(twice - whole).op("/", **over)(double),
        )

    # -- pairs

    def linked(self, relation: RelationPlan) -> Statement:
        """The keys of the other sides of one row's pairs, as far as they exist for this visibility."""
        table, assembly = self._links(relation), self.assembly()
        own = table.c[str(relation.link_local)] == assembly.named(PARENT)
        found = select(table.c[str(relation.link_remote)]).where(own, *self._linked(relation, table, assembly))
        return assembly.statement(found)

    def insert_link(self, relation: RelationPlan) -> Statement:
        """A new pair; nothing happens where it exists."""
        table = self._links(relation)
        assembly = self.assembly()
        values = {
            str(relation.link_local): assembly.named(PARENT),
            str(relation.link_remote): assembly.named(TARGET),
        }
        return assembly.statement(self.dialect.insert(table).values(values).on_conflict_do_nothing())

    def delete_links(self, relation: RelationPlan) -> Statement:
        """All pairs of one row whose other side exists for this visibility."""
        table, assembly = self._links(relation), self.assembly()
        own = table.c[str(relation.link_local)] == assembly.named(PARENT)
        return assembly.statement(delete(table).where(own, *self._linked(relation, table, assembly)))

    def delete_link(self, relation: RelationPlan) -> Statement:
        """One pair, where its other side exists for this visibility."""
        table, assembly = self._links(relation), self.assembly()
        pair = (
            table.c[str(relation.link_local)] == assembly.named(PARENT),
            table.c[str(relation.link_remote)] == assembly.named(TARGET),
        )
        return assembly.statement(delete(table).where(*pair, *self._linked(relation, table, assembly)))

    def delete_owned(self, relation: RelationPlan) -> Statement:
        """All items of one row's list."""
        resource, table, assembly = self.begin(relation.target)
        field = resource.fields_by_name[relation.remote_field]
        owned = table.c[relation.remote_field] == self.dialect.compared(assembly.named(PARENT), field)
        return assembly.statement(delete(table).where(owned, *self.conditions.rows(resource, table, ALL, assembly)))

    def _linked(self, relation: RelationPlan, link: Any, assembly: Assembly) -> list[Any]:
        target, table = self.plan.by_name[relation.target], self.schema.tables[relation.target]
        if not self.gate.guards(target):
            return []
        visible = select(table.c.id).where(*self.conditions.rows(target, table, ALL, assembly))
        return [link.c[str(relation.link_remote)].in_(visible)]

    # -- parts

    def _links(self, relation: RelationPlan) -> Any:
        return self.schema.links[str(relation.link_table)]


def _twice_the_part(factor: Sequence[int]) -> int:
    return 2 * factor[1]


def _whole(factor: Sequence[int]) -> int:
    return factor[2]


def _twice_the_whole(factor: Sequence[int]) -> int:
    return 2 * factor[2]

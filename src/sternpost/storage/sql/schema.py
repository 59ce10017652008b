"""Tables of a plan, and the statements that create them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from sternpost.plan.model import FieldPlan, Plan, RelationPlan, ResourcePlan
from sternpost.storage.sql.api_keys import api_keys_table
from sternpost.storage.sql.dialect import ColumnType, Dialect

SCHEMA_TABLE = "sternpost_schema"
"""Holds the fingerprint of the contract that the schema was made for."""

_ON_DELETE = {"restrict": "RESTRICT", "cascade": "CASCADE", "set_null": "SET NULL"}
_INT64 = (-(2**63), 2**63 - 1)


class Schema:
    """The tables of a plan in one database's dialect."""

    def __init__(self, plan: Plan, dialect: Dialect) -> None:
        self.plan = plan
        self.dialect = dialect
        self.metadata = MetaData()
        self.version = Table(
            SCHEMA_TABLE,
            self.metadata,
            Column("fingerprint", self._plain("TEXT"), nullable=False),
            Column("created_at", self._plain("TEXT"), nullable=False),
            **dialect.table_options,
        )
        self.tables = {resource.name: self._table(resource) for resource in plan.resources}
        if plan.api_keys:
            api_keys_table(self.metadata, dialect)
        self.links: dict[str, Table] = {}
        for resource in plan.resources:
            for relation in resource.relations:
                if relation.link_table is not None and relation.link_table not in self.links:
                    self.links[relation.link_table] = self._link_table(resource, relation)

    def ddl(self) -> list[str]:
        """Statements that create everything, in an order that satisfies foreign keys."""
        statements: list[str] = []
        for table in self.metadata.sorted_tables:
            statements.append(_tidy(str(CreateTable(table).compile(dialect=self.dialect.compiler))))
            indexes = sorted(table.indexes, key=lambda index: str(index.name))
            statements.extend(
                _tidy(str(CreateIndex(index).compile(dialect=self.dialect.compiler))) for index in indexes
            )
        return statements

    def constraint_columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of each constraint by its name, for drivers whose errors name the constraint alone."""
        found: dict[str, tuple[str, ...]] = {}
        for resource in self.plan.resources:
            found.update(
                {f"fk_{resource.table}_{field.name}": (field.name,) for field in resource.fields if field.references}
            )
            found.update(
                {f"uq_{resource.table}_{field.name}": (field.name,) for field in resource.fields if field.unique}
            )
            found.update({f"ck_{resource.table}_{field.name}": (field.name,) for field in resource.fields})
            found.update({f"uq_{resource.table}_{'_'.join(group)}": group for group in resource.unique_together})
        return found

    def _plain(self, name: str) -> ColumnType:
        return ColumnType(name)

    def _table(self, resource: ResourcePlan) -> Table:
        columns: list[Any] = [self._column(resource.table, field) for field in resource.fields]
        if resource.position_column:
            columns.append(Column(resource.position_column, ColumnType("INTEGER"), nullable=False))
        rules: list[Any] = [PrimaryKeyConstraint("id", name=f"pk_{resource.table}")]
        rules += [
            UniqueConstraint(field.name, name=f"uq_{resource.table}_{field.name}")
            for field in resource.fields
            if field.unique
        ]
        rules += [
            UniqueConstraint(*group, name=f"uq_{resource.table}_{'_'.join(group)}")
            for group in resource.unique_together
        ]
        rules += [
            CheckConstraint(text(condition), name=f"ck_{resource.table}_{field.name}")
            for field in resource.fields
            if (condition := self._check(field))
        ]
        if self.plan.external:  # its keys and rules are known to the database, which is all that they are needed for
            return Table(resource.table, self.metadata, *columns, schema=resource.schema)
        table = Table(resource.table, self.metadata, *columns, *rules, **self.dialect.table_options)
        for field in resource.fields:
            indexed = field.references is not None or bool(field.filters)
            if field.name != "id" and indexed and not field.unique:
                Index(f"ix_{resource.table}_{field.name}", table.c[field.name])
        for name in _sorted_fields(resource):
            if (
                not any(index.name == f"ix_{resource.table}_{name}" for index in table.indexes)
                and not resource.fields_by_name[name].unique
            ):
                Index(f"ix_{resource.table}_{name}", table.c[name])
        return table

    def _column(self, resource_table: str, field: FieldPlan) -> Column[Any]:
        arguments: list[Any] = []
        if field.references is not None and field.name != "id" and not self.plan.external:
            target = self.plan.by_name[field.references].table
            arguments.append(
                ForeignKey(
                    f"{target}.id",
                    ondelete=_ON_DELETE[field.on_delete or "restrict"],
                    name=f"fk_{resource_table}_{field.name}",
                )
            )
        column_type = self.dialect.column_type(field.as_stored)
        return Column(field.column_name, column_type, *arguments, key=field.name, nullable=field.nullable)

    def _link_table(self, resource: ResourcePlan, relation: RelationPlan) -> Table:
        target = self.plan.by_name[relation.target]
        local, remote = str(relation.link_local), str(relation.link_remote)
        id_type = self.dialect.column_type(resource.fields_by_name["id"])
        if self.plan.external:
            return Table(
                str(relation.link_table),
                self.metadata,
                Column(local, id_type),
                Column(remote, id_type),
                schema=relation.link_schema,
            )
        table = Table(
            str(relation.link_table),
            self.metadata,
            Column(local, id_type, ForeignKey(f"{resource.table}.id", ondelete="CASCADE"), nullable=False),
            Column(remote, id_type, ForeignKey(f"{target.table}.id", ondelete="CASCADE"), nullable=False),
            PrimaryKeyConstraint(local, remote, name=f"pk_{relation.link_table}"),
            **self.dialect.table_options,
        )
        Index(f"ix_{relation.link_table}_{remote}", table.c[remote])
        return table

    def _check(self, field: FieldPlan) -> str | None:
        field = field.as_stored
        name = f'"{field.column_name}"'
        parts: list[str] = []
        if field.choices:
            parts.append(f"{name} IN ({', '.join(_literal(choice) for choice in field.choices)})")
        if field.kind == "string":
            if field.min_length:
                parts.append(f"length({name}) >= {field.min_length}")
            if field.max_length:
                parts.append(f"length({name}) <= {field.max_length}")
        if field.kind in ("integer", "number", "decimal"):
            encode = self.dialect.encode(field)
            for symbol, bound in ((">=", field.minimum), ("<=", field.maximum)):
                if bound is not None and bound not in _INT64:
                    parts.append(f"{name} {symbol} {_number(bound, encode)}")
        if field.kind == "boolean" and self.dialect.name == "sqlite":
            parts.append(f"{name} IN (0, 1)")
        return " AND ".join(parts) or None


def _number(bound: Any, encode: Any) -> str:
    from decimal import Decimal

    return str(encode(Decimal(bound))) if encode and isinstance(bound, str) else str(bound)


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _tidy(statement: str) -> str:
    return "\n".join(line.rstrip() for line in statement.strip().splitlines() if line.strip()).replace("\t", "    ")


def _sorted_fields(resource: ResourcePlan) -> tuple[str, ...]:
    names = (
        name.removeprefix("-")
        for operation in resource.operations
        for name in (*operation.sort, *operation.default_sort)
    )
    return tuple(dict.fromkeys(names))

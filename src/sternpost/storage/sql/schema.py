"""Tables of a plan, and the statements that create them."""

from __future__ import annotations

import hashlib
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from typing import Any

import orjson
from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    ForeignKeyConstraint,
    FromClause,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable

from sternpost.plan.audit import Audit, link_audit, row_audit
from sternpost.plan.indexes import indexes, lowered_field, ranked_field
from sternpost.plan.model import DELETED_FIELD, FieldPlan, Plan, RelationPlan, ResourcePlan, UniqueRule
from sternpost.plan.names import check_rule, database_name, key_rule, reference_rule, search_name
from sternpost.plan.rings import closing_references
from sternpost.plan.row_rules import OverlapPlan
from sternpost.plan.rules import rules_of
from sternpost.plan.values import from_plan
from sternpost.ports.own_tables import SCHEMA_TABLE
from sternpost.ports.schema import NoOverlap, Search, Sql
from sternpost.storage.sql.api_keys import api_keys_table
from sternpost.storage.sql.audit import audit_table
from sternpost.storage.sql.checks import condition, literal, row_condition
from sternpost.storage.sql.dialect import ColumnType, Dialect
from sternpost.storage.sql.idempotency_table import idempotency_table
from sternpost.storage.sql.outbox import outbox_table
from sternpost.storage.sql.ranks import indexed_rank

DELETED = DELETED_FIELD
"""The column of rows that are kept when they are deleted."""

_ON_DELETE = {"restrict": "RESTRICT", "cascade": "CASCADE", "set_null": "SET NULL"}


def alive(table: FromClause) -> ColumnElement[bool]:
    """That a row of a resource with `soft_delete` is not deleted."""
    return table.c[DELETED].is_(None)


def unique_values(table: FromClause, rule: UniqueRule) -> list[ColumnElement[Any]]:
    """What a rule compares of each row."""
    return [func.lower(table.c[name]) if name in rule.ignore_case else table.c[name] for name in rule.fields]


def _indexed(table: FromClause, name: str, resource: ResourcePlan) -> ColumnElement[Any]:
    """What an index holds: a column, its text without the case of ASCII letters, or its place in the order of an
    enum."""
    if (ranked := ranked_field(name)) is not None:
        return indexed_rank(resource.fields_by_name[ranked])
    field = lowered_field(name)
    return table.c[name] if field is None else func.lower(table.c[field])


class Schema:
    """The tables of a plan in one database's dialect."""

    def __init__(self, plan: Plan, dialect: Dialect) -> None:
        self.plan = plan
        self.dialect = dialect
        self.metadata = MetaData()
        self.closing = closing_references(plan)
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
        if plan.audited:
            audit_table(self.metadata, dialect)
        if plan.keeps_answers:
            idempotency_table(self.metadata, dialect)
        if plan.emits:
            outbox_table(self.metadata, dialect)
        self.links: dict[str, Table] = {}
        for resource in plan.resources:
            for relation in resource.relations:
                if relation.link_table is not None and relation.link_table not in self.links:
                    self.links[relation.link_table] = self._link_table(resource, relation)

    @cached_property
    def audits(self) -> dict[str, list[Audit]]:
        """By table, what the audit trail records of it."""
        found: dict[str, list[Audit]] = {}
        for resource in self.plan.resources:
            if resource.name in self.plan.audited:
                found.setdefault(resource.table, []).append(row_audit(self.plan, resource))
                for relation in resource.relations:
                    if relation.link_table is not None:
                        found.setdefault(relation.link_table, []).append(link_audit(self.plan, resource, relation))
        return found

    @cached_property
    def overlaps(self) -> dict[str, list[NoOverlap]]:
        """By table, the spans of its rows that do not overlap."""
        return {
            resource.table: [self._overlap(resource, each) for each in resource.no_overlap]
            for resource in self.plan.resources
            if resource.no_overlap
        }

    @cached_property
    def searches(self) -> dict[str, Search]:
        """By table, the index of its words."""
        return {
            resource.table: Search(
                search_name(resource.table),
                tuple(resource.fields_by_name[name].column_name for name in resource.searched),
            )
            for resource in self.plan.resources
            if resource.searched
        }

    def _overlap(self, resource: ResourcePlan, overlap: OverlapPlan) -> NoOverlap:
        fields = resource.fields_by_name
        keys = [fields[name] for name in overlap.keys]
        conditions = [f'"{fields[DELETED].column_name}" IS NULL'] if resource.soft_delete else []
        if overlap.where is not None:
            found = row_condition(overlap.where, resource, self.dialect)
            conditions.append(f"({found})" if conditions else found)
        where = " AND ".join(conditions) or None
        return NoOverlap(
            overlap.rule(resource.table),
            tuple(f"lower({field.column_name})" if field.ignore_case else field.column_name for field in keys),
            fields[overlap.start].column_name,
            fields[overlap.end].column_name,
            _form(fields[overlap.start].as_stored),
            None if where is None else Sql(where, where),
        )

    def ddl(self) -> list[str]:
        """Statements that create everything, in an order that satisfies foreign keys; what closes a ring comes last."""
        overlaps = [(table, each) for table, found in self.overlaps.items() for each in found]
        statements = self.dialect.overlaps.needs(each for _, each in overlaps)
        closing: list[str] = []
        for table in self.metadata.sorted_tables:
            statements.append(_tidy(str(CreateTable(table).compile(dialect=self.dialect.compiler))))
            indexes = sorted(table.indexes, key=lambda index: str(index.name))
            statements.extend(
                _tidy(str(CreateIndex(index).compile(dialect=self.dialect.compiler))) for index in indexes
            )
            closing.extend(self._closing(table))
        statements += closing
        statements += [text for table, each in overlaps for text in self.dialect.overlaps.create(table, each)]
        statements += [text for found in self.searches.items() for text in self.dialect.search.create(*found)]
        statements += self.dialect.audit.functions() if self.audits else []
        for name, audits in self.audits.items():
            statements += [text for audit in audits for text in self.dialect.audit.triggers(name, audit)]
        return statements

    def _closing(self, table: Table) -> list[str]:
        """Foreign keys that CREATE TABLE left out. SQLite has them there, to tables that do not exist yet."""
        if not self.dialect.compiler.supports_alter:
            return []
        left_out = [key for key in table.foreign_key_constraints if key.use_alter]
        left_out.sort(key=lambda key: str(key.name))
        added = (AddConstraint(key, isolate_from_table=False) for key in left_out)
        return [_tidy(str(statement.compile(dialect=self.dialect.compiler))) for statement in added]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything the database has to hold. The order of columns does not matter: no statement relies
        on it."""
        described = self.describe()
        for table in described.values():
            table["columns"] = sorted(
                ({key: value for key, value in column.items() if key != "fill"} for column in table["columns"]),
                key=lambda column: column["name"],
            )
            for rule in table["rules"].values():
                rule.pop("rules", None)  # its SQL says the same
        return hashlib.sha256(orjson.dumps(described, option=orjson.OPT_SORT_KEYS)).hexdigest()

    def describe(self) -> dict[str, dict[str, Any]]:
        """Every table as plain data, in the order of creation: columns, rules and indexes with their SQL."""
        return {
            str(table.name): self._described(table)
            for table in self.metadata.sorted_tables
            if table is not self.version
        }

    def _described(self, table: Table) -> dict[str, Any]:
        indexes = {str(index.name): self._described_index(index) for index in table.indexes}
        rules: dict[str, dict[str, Any]] = {}
        for rule in table.constraints:
            match rule:
                case CheckConstraint():
                    rules[str(rule.name)] = {"kind": "check", "sql": str(rule.sqltext), "rules": rule.info["rules"]}
                case ForeignKeyConstraint():
                    rules[str(rule.name)] = {
                        "kind": "foreign key",
                        "columns": [str(column.name) for column in rule.columns],
                        "table": str(rule.referred_table.name),
                        "targets": [str(element.column.name) for element in rule.elements],
                        "on_delete": rule.ondelete,
                    }
                case UniqueConstraint():
                    columns = [str(column.name) for column in rule.columns]
                    rules[str(rule.name)] = {"kind": "unique", "columns": columns}
                case _:
                    pass
        return {
            "columns": [
                {
                    "name": str(column.name),
                    "type": str(column.type.compile(dialect=self.dialect.compiler)),
                    "nullable": bool(column.nullable),
                    "form": column.info.get("form", ""),
                    "fill": column.info.get("fill"),
                }
                for column in table.columns
            ],
            "primary_key": {
                "name": str(table.primary_key.name),
                "columns": [str(column.name) for column in table.primary_key],
            },
            "rules": dict(sorted(rules.items())),
            "indexes": dict(sorted(indexes.items())),
            **({"audit": audits} if (audits := self.audits.get(str(table.name))) else {}),
            **({"overlaps": overlaps} if (overlaps := self._described_overlaps(str(table.name))) else {}),
            **({"search": self._described_search(str(table.name))} if str(table.name) in self.searches else {}),
        }

    def _described_search(self, table: str) -> dict[str, Any]:
        found = self.searches[table]
        return {"name": found.name, "columns": list(found.columns)}

    def _described_overlaps(self, table: str) -> dict[str, dict[str, Any]]:
        return {
            each.name: {
                "keys": list(each.keys),
                "start": each.start,
                "end": each.end,
                "form": each.form,
                "where": each.where and each.where.sqlite,  # of this database, in both places
            }
            for each in sorted(self.overlaps.get(table, ()), key=lambda each: each.name)
        }

    def _described_index(self, index: Index) -> dict[str, Any]:
        def text_of(element: Any) -> str:
            compiled = element.compile(
                dialect=self.dialect.compiler, compile_kwargs={"literal_binds": True, "include_table": False}
            )
            return str(compiled)

        where = index.dialect_options[self.dialect.compiler.name].get("where")
        return {
            "columns": [text_of(expression) for expression in index.expressions],
            "unique": bool(index.unique),
            "where": None if where is None else text_of(where),
        }

    def constraint_columns(self) -> dict[str, tuple[str, ...]]:
        """The columns of each constraint by its name, for drivers whose errors name the constraint alone; a rule over
        rows stands for itself."""
        found: dict[str, tuple[str, ...]] = {}
        for resource in self.plan.resources:
            found.update(
                {
                    reference_rule(resource.table, field.name): (field.name,)
                    for field in resource.fields
                    if field.references
                }
            )
            found.update({check_rule(resource.table, field.name): (field.name,) for field in resource.fields})
            found.update({name: rule.fields for name, rule in resource.unique_rules.items()})
            rules = (*resource.checks, *resource.no_overlap)
            found.update({name: (name,) for name in (rule.rule(resource.table) for rule in rules)})
        return found

    def _plain(self, name: str) -> ColumnType:
        return ColumnType(name)

    def _table(self, resource: ResourcePlan) -> Table:
        columns: list[Any] = [self._column(resource, field) for field in resource.fields]
        if resource.position_column:
            position = {"form": "position", "fill": "0"}
            columns.append(Column(resource.position_column, ColumnType("INTEGER"), nullable=False, info=position))
        rules: list[Any] = [PrimaryKeyConstraint("id", name=key_rule(resource.table))]
        unique = resource.unique_rules.values()
        rules += [UniqueConstraint(*rule.fields, name=rule.name) for rule in unique if not rule.is_index]
        rules += [
            CheckConstraint(text(checked), name=check_rule(resource.table, field.name), info={"rules": rules_of(field)})
            for field in resource.fields
            if (checked := condition(field, self.dialect))
        ]
        rules += [
            CheckConstraint(
                text(_escaped(row_condition(check.condition, resource, self.dialect))),
                name=check.rule(resource.table),
                info={"rules": None},
            )
            for check in resource.checks
        ]
        if self.plan.external:  # its keys and rules are known to the database, which is all that they are needed for
            return Table(resource.table, self.metadata, *columns, schema=resource.schema)
        table = Table(resource.table, self.metadata, *columns, *rules, **self.dialect.table_options)
        for index in indexes(resource):
            values = [(_indexed(table, name, resource), descending) for name, descending in index.columns]
            Index(index.name, *(value.desc() if descending else value for value, descending in values))
        # A value of a deleted row is free again. Options of another database would load all that SQLAlchemy has for it.
        there: dict[str, Any] = {f"{self.dialect.compiler.name}_where": alive(table)} if resource.soft_delete else {}
        for rule in unique:
            if rule.is_index:
                Index(rule.name, *unique_values(table, rule), unique=True, **there)
        return table

    def _column(self, resource: ResourcePlan, field: FieldPlan) -> Column[Any]:
        arguments: list[Any] = []
        if field.references is not None and field.name != "id" and not self.plan.external:
            target = self.plan.by_name[field.references].table
            arguments.append(
                ForeignKey(
                    f"{target}.id",
                    ondelete=_ON_DELETE[field.on_delete or "restrict"],
                    name=reference_rule(resource.table, field.name),
                    use_alter=(resource.name, field.name) in self.closing,
                )
            )
        column_type = self.dialect.column_type(field.as_stored)
        info = {"form": _form(field.as_stored), "fill": self._fill(field.as_stored)}
        return Column(field.column_name, column_type, *arguments, key=field.name, nullable=field.nullable, info=info)

    def _fill(self, field: FieldPlan) -> str | None:
        """The value of a new column in existing rows, as SQL; None if only the author can decide it."""
        if field.generated in ("created", "updated"):
            return self.dialect.now
        if field.generated == "version":
            return "1"
        if field.default is None or field.computed is not None:
            return None
        encode = self.dialect.encode(field)
        default = from_plan(field, field.default)
        value = encode(default) if encode else default
        match value:
            case bool():
                return str(value).upper()
            case int() | float() | Decimal():
                return str(value)
            case datetime() | date() | time():
                return literal(value.isoformat())
            case bytes():
                return self.dialect.literal(value)
            case _:
                return literal(str(value))

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
            Column(local, id_type, self._link(relation, local, resource), nullable=False, info={"form": "id"}),
            Column(remote, id_type, self._link(relation, remote, target), nullable=False, info={"form": "id"}),
            PrimaryKeyConstraint(local, remote, name=key_rule(str(relation.link_table))),
            **self.dialect.table_options,
        )
        Index(database_name("ix", str(relation.link_table), remote), table.c[remote])
        return table

    def _link(self, relation: RelationPlan, column: str, target: ResourcePlan) -> ForeignKey:
        return ForeignKey(
            f"{target.table}.id", ondelete="CASCADE", name=reference_rule(str(relation.link_table), column)
        )


def _form(field: FieldPlan) -> str:
    """What the values mean: two kinds may share a column type in one database."""
    return f"decimal({field.max_digits}, {field.decimal_places})" if field.kind == "decimal" else field.kind


def _escaped(condition: str) -> str:
    r"""SQLAlchemy takes `:name` in a text for a parameter, unless it is written `\:name`."""
    return condition.replace(":", "\\:")


def _tidy(statement: str) -> str:
    return "\n".join(line.rstrip() for line in statement.strip().splitlines() if line.strip()).replace("\t", "    ")

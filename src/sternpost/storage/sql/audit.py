"""The audit trail: the table it is kept in, the triggers that write it, and how it is read.

The database itself writes it, so no way of changing a row goes past it: not a bulk change, not a cascade, not SQL by hand.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Column, Index, MetaData, PrimaryKeyConstraint, Table, bindparam, select

from sternpost.plan.model import FieldPlan, Plan, RelationPlan, ResourcePlan
from sternpost.ports.audit import AuditEntry, AuditQuery
from sternpost.ports.storage import Document
from sternpost.storage.sql.dialect import ColumnType, Dialect
from sternpost.storage.sql.statement import compile_statement

AUDIT_TABLE = "sternpost_audit"
AUDIT_SETTING = "sternpost.audit"
"""Where PostgreSQL keeps, for one transaction, who it is for: JSON with `actor`, `operation` and `request_id`."""

AUDIT_FUNCTIONS = ("sternpost_audit_row", "sternpost_audit_link")
MASK = "***"
"""Stands for a value of a sensitive field."""

Run = Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]]

_COLUMNS: tuple[tuple[str, str, str, str, bool], ...] = (
    ("id", "INTEGER", "BIGINT GENERATED ALWAYS AS IDENTITY", "counted", False),
    ("at", "TEXT", "TIMESTAMPTZ", "datetime", False),
    ("actor", "TEXT", 'TEXT COLLATE "C"', "string", True),
    ("operation", "TEXT", 'TEXT COLLATE "C"', "string", True),
    ("request_id", "TEXT", 'TEXT COLLATE "C"', "string", True),
    ("action", "TEXT", 'TEXT COLLATE "C"', "string", False),
    ("resource", "TEXT", 'TEXT COLLATE "C"', "string", False),
    ("row_id", "TEXT", 'TEXT COLLATE "C"', "string", False),
    ("tenant", "TEXT", 'TEXT COLLATE "C"', "string", True),
    ("before", "TEXT", "JSONB", "json", True),
    ("after", "TEXT", "JSONB", "json", True),
)


@dataclass(frozen=True)
class RowAudit:
    """What is recorded of a table's rows.

    Attributes:
        resource, prefix: how the trail names a row.
        columns: those that are recorded; what is not named here never gets into the trail.
        masked: those of which only is recorded that they changed.
        reals: those that hold floating point numbers.
        deleted: the column that says since when a row that is kept is deleted.
        tenant, tenant_prefix: the column that says whose row it is; the prefix where it holds an id.
    """

    resource: str
    prefix: str
    columns: tuple[str, ...]
    masked: tuple[str, ...] = ()
    reals: tuple[str, ...] = ()
    deleted: str | None = None
    tenant: str | None = None
    tenant_prefix: str | None = None

    @property
    def key(self) -> str:
        """What it is known by among the triggers of its table."""
        return AUDIT_TABLE


@dataclass(frozen=True)
class LinkAudit:
    """What is recorded of a many-to-many relation: which row got, or lost, which other."""

    resource: str
    prefix: str
    relation: str
    local: str
    remote: str
    remote_prefix: str

    @property
    def key(self) -> str:
        return f"{AUDIT_TABLE}_{self.prefix}_{self.relation}"


Audit = RowAudit | LinkAudit


def audit_table(metadata: MetaData, dialect: Dialect) -> Table:
    """The table."""
    table = Table(
        AUDIT_TABLE,
        metadata,
        *(
            Column(name, ColumnType(lite if dialect.name == "sqlite" else post), nullable=nullable, info={"form": form})
            for name, lite, post, form, nullable in _COLUMNS
        ),
        PrimaryKeyConstraint("id", name=f"pk_{AUDIT_TABLE}"),
        **dialect.table_options,
    )
    for name in ("row_id", "actor"):
        Index(f"ix_{AUDIT_TABLE}_{name}", table.c[name], table.c.id)
    return table


def row_audit(plan: Plan, resource: ResourcePlan) -> RowAudit:
    """What a plan asks to be recorded of a resource's rows: all but what never leaves the service."""
    shown = [field for field in resource.fields if not field.hidden or field.name == plan.owning_key(resource)]
    tenant = resource.fields_by_name[resource.tenant] if resource.tenant else None
    return RowAudit(
        resource.name,
        resource.prefix,
        tuple(field.column_name for field in shown),
        tuple(field.column_name for field in shown if field.sensitive),
        tuple(field.column_name for field in shown if field.kind == "number"),
        next((field.column_name for field in resource.fields if field.generated == "deleted"), None),
        tenant.column_name if tenant else None,
        plan.by_name[tenant.references].prefix if tenant and tenant.references else None,
    )


def link_audit(plan: Plan, resource: ResourcePlan, relation: RelationPlan) -> LinkAudit:
    """What a plan asks to be recorded of one of a resource's many-to-many relations."""
    prefix = plan.by_name[relation.target].prefix
    local, remote = str(relation.link_local), str(relation.link_remote)
    return LinkAudit(resource.name, resource.prefix, relation.name, local, remote, prefix)


# -- triggers


def audit_functions(database: str) -> list[str]:
    """What the triggers call, for all tables; SQLite's hold everything themselves."""
    return [_ROW_FUNCTION, _LINK_FUNCTION] if database == "postgresql" else []


def audit_triggers(table: str, audit: Audit, database: str) -> list[str]:
    """The statements that create a table's triggers."""
    if database == "postgresql":
        return [_postgresql_trigger(table, audit)]
    return _sqlite_row(table, audit) if isinstance(audit, RowAudit) else _sqlite_link(table, audit)


def drop_audit_triggers(table: str, audit: Audit, database: str) -> list[str]:
    """The statements that remove them; a trigger that is not there is no error."""
    if database == "postgresql":
        return [f"DROP TRIGGER IF EXISTS {audit.key} ON {_name(table)}"]
    actions = ("create", "update", "delete") if isinstance(audit, RowAudit) else ("link", "unlink")
    return [f"DROP TRIGGER IF EXISTS {_sqlite_trigger(table, audit, action)}" for action in actions]


_ROW_FUNCTION = f"""CREATE OR REPLACE FUNCTION {AUDIT_FUNCTIONS[0]}() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    origin jsonb := coalesce(nullif(current_setting('{AUDIT_SETTING}', true), ''), '{{}}')::jsonb;
    masked text[] := TG_ARGV[3];
    deleted text := TG_ARGV[4];
    was jsonb := '{{}}';
    becomes jsonb := '{{}}';
    before jsonb;
    after jsonb;
    action text := CASE TG_OP WHEN 'INSERT' THEN 'create' WHEN 'DELETE' THEN 'delete' ELSE 'update' END;
BEGIN
    IF TG_OP <> 'INSERT' THEN was := to_jsonb(OLD); END IF;
    IF TG_OP <> 'DELETE' THEN becomes := to_jsonb(NEW); END IF;
    SELECT
        jsonb_object_agg(name, CASE WHEN name = ANY(masked) AND was->name <> 'null' THEN '"{MASK}"' ELSE was->name END),
        jsonb_object_agg(name, CASE WHEN name = ANY(masked) AND becomes->name <> 'null' THEN '"{MASK}"' ELSE becomes->name END)
    INTO before, after
    FROM unnest(TG_ARGV[2]::text[]) AS name
    WHERE TG_OP <> 'UPDATE' OR was->name IS DISTINCT FROM becomes->name;
    IF TG_OP = 'UPDATE' AND deleted <> '' AND (was->>deleted IS NULL) <> (becomes->>deleted IS NULL) THEN
        action := CASE WHEN becomes->>deleted IS NULL THEN 'restore' ELSE 'delete' END;
    ELSIF before IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO {AUDIT_TABLE} (at, actor, operation, request_id, action, resource, row_id, tenant, before, after)
    VALUES (
        clock_timestamp(), origin->>'actor', origin->>'operation', origin->>'request_id', action, TG_ARGV[0],
        TG_ARGV[1] || '_' || replace(coalesce(becomes->>'id', was->>'id'), '-', ''),
        CASE WHEN TG_ARGV[6] = '' THEN coalesce(becomes->>TG_ARGV[5], was->>TG_ARGV[5])
             ELSE TG_ARGV[6] || '_' || replace(coalesce(becomes->>TG_ARGV[5], was->>TG_ARGV[5]), '-', '') END,
        CASE WHEN TG_OP <> 'INSERT' THEN coalesce(before, '{{}}') END,
        CASE WHEN TG_OP <> 'DELETE' THEN coalesce(after, '{{}}') END
    );
    RETURN NULL;
END $$"""

_LINK_FUNCTION = f"""CREATE OR REPLACE FUNCTION {AUDIT_FUNCTIONS[1]}() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
    origin jsonb := coalesce(nullif(current_setting('{AUDIT_SETTING}', true), ''), '{{}}')::jsonb;
    pair jsonb := CASE WHEN TG_OP = 'INSERT' THEN to_jsonb(NEW) ELSE to_jsonb(OLD) END;
    other jsonb := jsonb_build_object(TG_ARGV[2], TG_ARGV[5] || '_' || replace(pair->>TG_ARGV[4], '-', ''));
BEGIN
    INSERT INTO {AUDIT_TABLE} (at, actor, operation, request_id, action, resource, row_id, before, after)
    VALUES (
        clock_timestamp(), origin->>'actor', origin->>'operation', origin->>'request_id',
        CASE TG_OP WHEN 'INSERT' THEN 'link' ELSE 'unlink' END, TG_ARGV[0],
        TG_ARGV[1] || '_' || replace(pair->>TG_ARGV[3], '-', ''),
        CASE WHEN TG_OP = 'DELETE' THEN other END,
        CASE WHEN TG_OP = 'INSERT' THEN other END
    );
    RETURN NULL;
END $$"""


def _postgresql_trigger(table: str, audit: Audit) -> str:
    if isinstance(audit, RowAudit):
        lists = (f"{{{','.join(names)}}}" for names in (audit.columns, audit.masked))
        given = (audit.resource, audit.prefix, *lists, audit.deleted, audit.tenant, audit.tenant_prefix)
        events, function = "INSERT OR UPDATE OR DELETE", AUDIT_FUNCTIONS[0]
    else:
        given = (audit.resource, audit.prefix, audit.relation, audit.local, audit.remote, audit.remote_prefix)
        events, function = "INSERT OR DELETE", AUDIT_FUNCTIONS[1]
    arguments = ", ".join(_text(value or "") for value in given)
    return (
        f"CREATE TRIGGER {audit.key} AFTER {events} ON {_name(table)}\n"
        f"FOR EACH ROW EXECUTE FUNCTION {function}({arguments})"
    )


def _sqlite_trigger(table: str, audit: Audit, action: str) -> str:
    return _name(f"{audit.key}_{table}_{action}")


def _sqlite_row(table: str, audit: RowAudit) -> list[str]:
    # A masked value is told apart from none, and a real keeps all its digits, which JSON functions would cut.
    def value(row: str, column: str) -> str:
        text = f"{row}.{_name(column)}"
        if column in audit.masked:
            return f"iif({text} IS NULL, NULL, '{MASK}')"
        return f"iif({text} IS NULL, NULL, quote({text}))" if column in audit.reals else text

    def whole(row: str) -> str:
        return f"json_object({', '.join(f'{_text(column)}, {value(row, column)}' for column in audit.columns)})"

    changed = [f"OLD.{_name(column)} IS NOT NEW.{_name(column)}" for column in audit.columns]
    parts = "\n    UNION ALL ".join(
        f"SELECT {_text(column)} AS name, {value('OLD', column)} AS was, {value('NEW', column)} AS becomes WHERE {test}"
        for column, test in zip(audit.columns, changed, strict=True)
    )
    action = "'update'"
    if audit.deleted is not None:
        gone = _name(audit.deleted)
        action = (
            f"iif((OLD.{gone} IS NULL) = (NEW.{gone} IS NULL), 'update', iif(NEW.{gone} IS NULL, 'restore', 'delete'))"
        )
        changed.append(f"(OLD.{gone} IS NULL) <> (NEW.{gone} IS NULL)")
    update = (
        _sqlite_insert(audit, "NEW", action)
        + f"json_group_object(name, was), json_group_object(name, becomes) FROM (\n    {parts}\n    )"
    )
    return [
        _sqlite_create(table, audit, "create", "INSERT", _sqlite_insert(audit, "NEW", "'create'") + f"NULL, {whole('NEW')}"),
        _sqlite_create(table, audit, "update", "UPDATE", update, when=" OR ".join(changed)),
        _sqlite_create(table, audit, "delete", "DELETE", _sqlite_insert(audit, "OLD", "'delete'") + f"{whole('OLD')}, NULL"),
    ]  # fmt: skip


def _sqlite_link(table: str, audit: LinkAudit) -> list[str]:
    def recorded(row: str, action: str) -> str:
        other = (
            f"json_object({_text(audit.relation)}, {_text(audit.remote_prefix + '_')} || {row}.{_name(audit.remote)})"
        )
        return (
            f"INSERT INTO {AUDIT_TABLE} (at, action, resource, row_id, before, after)\n"
            f"    SELECT {_SQLITE_NOW}, '{action}', {_text(audit.resource)}, "
            f"{_text(audit.prefix + '_')} || {row}.{_name(audit.local)}, "
            + (f"NULL, {other}" if action == "link" else f"{other}, NULL")
        )

    return [
        _sqlite_create(table, audit, "link", "INSERT", recorded("NEW", "link")),
        _sqlite_create(table, audit, "unlink", "DELETE", recorded("OLD", "unlink")),
    ]


_SQLITE_NOW = "strftime('%Y-%m-%dT%H:%M:%f', 'now')"


def _sqlite_insert(audit: RowAudit, row: str, action: str) -> str:
    tenant = "NULL"
    if audit.tenant is not None:
        tenant = f"{row}.{_name(audit.tenant)}"
        tenant = f"{_text(audit.tenant_prefix + '_')} || {tenant}" if audit.tenant_prefix else tenant
    return (
        f"INSERT INTO {AUDIT_TABLE} (at, action, resource, row_id, tenant, before, after)\n"
        f"    SELECT {_SQLITE_NOW}, {action}, {_text(audit.resource)}, "
        f'{_text(audit.prefix + "_")} || {row}."id", {tenant}, '
    )


def _sqlite_create(table: str, audit: Audit, action: str, event: str, statement: str, when: str = "") -> str:
    condition = f"WHEN {when}\n" if when else ""
    return (
        f"CREATE TRIGGER {_sqlite_trigger(table, audit, action)} AFTER {event} ON {_name(table)}\n"
        f"{condition}BEGIN\n    {statement};\nEND"
    )


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


# -- reading


class SqlAuditTrail:
    """The port's `AuditTrail` on any SQL database.

    Args:
        read: runs a statement that reads.
    """

    def __init__(self, plan: Plan, dialect: Dialect, read: Run) -> None:
        self._plan = plan
        self._dialect = dialect
        self._read = read
        self._table = audit_table(MetaData(), dialect)

    async def entries(self, query: AuditQuery) -> list[AuditEntry]:
        table = self._table
        statement = select(table).order_by(table.c.id.desc()).limit(bindparam("limit")).offset(bindparam("offset"))
        values: dict[str, Any] = {"limit": query.limit, "offset": 0}
        for name in ("resource", "row_id", "actor", "operation", "request_id", "tenant", "action"):
            wanted = getattr(query, name)
            if wanted is not None:
                statement = statement.where(table.c[name] == bindparam(name))
                values[name] = wanted
        for name, instant in (("since", query.since), ("until", query.until)):
            if instant is not None:
                at, bound = table.c["at"], cast("Any", bindparam(name))
                statement = statement.where(at >= bound if name == "since" else at < bound)
                values[name] = instant if self._dialect.name == "postgresql" else _sqlite_instant(instant)
        compiled = compile_statement(statement, self._dialect)
        return [self._entry(row) for row in await self._read(compiled.text, compiled.bind(values))]

    def _entry(self, row: Sequence[Any]) -> AuditEntry:
        values: dict[str, Any] = {column[0]: value for column, value in zip(_COLUMNS, row, strict=True)}
        values["at"] = _instant(values["at"])
        resource = self._plan.by_name.get(values["resource"])
        for part in ("before", "after"):
            values[part] = None if values[part] is None else self._document(resource, values[part])
        return AuditEntry(**values)

    def _document(self, resource: ResourcePlan | None, text: str) -> Document:
        """Values as clients know them; those of columns that the contract has no longer, as they were stored."""
        stored = cast("Mapping[str, Any]", json.loads(text, parse_float=Decimal))
        document: Document = {}
        for column, value in stored.items():
            field = resource.fields_by_column.get(column) if resource is not None else None
            if field is None:
                document[column] = value
            else:
                document[field.public_name] = value if value in (None, MASK) else self._value(field, value)
        return document

    def _value(self, field: FieldPlan, value: Any) -> Any:
        try:
            return _PLAIN[self._dialect.name](self._dialect, field, value, self._prefix(field))
        except (TypeError, ValueError, ArithmeticError):
            return value  # it was of another kind then

    def _prefix(self, field: FieldPlan) -> str | None:
        if field.references is not None:
            return self._plan.by_name[field.references].prefix
        return None


def _sqlite_instant(instant: datetime) -> str:
    """As SQLite's clock writes it, so that they compare as text."""
    return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value).replace(tzinfo=UTC)


def _sqlite_value(dialect: Dialect, field: FieldPlan, value: Any, prefix: str | None) -> Any:
    if field.kind == "number":
        return float(value)
    decode = dialect.decode(field, prefix)
    return value if decode is None else decode(value)


def _postgresql_value(dialect: Dialect, field: FieldPlan, value: Any, prefix: str | None) -> Any:
    """JSON of PostgreSQL's own making: a uuid is text there, an instant has a zone."""
    match field.kind:
        case "id":
            return f"{prefix}_{UUID(value).hex}"
        case "decimal":
            return format(Decimal(value), f".{field.decimal_places or 0}f")
        case "number":
            return float(value)
        case "json":
            return json.loads(json.dumps(value, default=float))
        case "datetime":
            return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
        case _:
            return value


_PLAIN: dict[str, Callable[[Dialect, FieldPlan, Any, str | None], Any]] = {
    "sqlite": _sqlite_value,
    "postgresql": _postgresql_value,
}

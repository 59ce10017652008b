"""The audit trail in PostgreSQL: two functions that write it, and the triggers that call them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sternpost import exact_json
from sternpost.kinds import write_bytes
from sternpost.plan.audit import AUDIT_TABLE, MASK, Audit, RowAudit
from sternpost.plan.model import FieldPlan
from sternpost.storage.sql.lengths_of_time import duration_text

AUDIT_SETTING = "sternpost.audit"
"""Where PostgreSQL keeps, for one transaction, who it is for: JSON with `actor`, `operation` and `request_id`."""

AUDIT_FUNCTIONS = ("sternpost_audit_row", "sternpost_audit_link")
_TEXT = 'TEXT COLLATE "C"'


class PostgresqlAudit:
    """Its part of the dialect."""

    column_types = {  # noqa: RUF012  (part of a protocol)
        "counted": "BIGINT GENERATED ALWAYS AS IDENTITY",
        "datetime": "TIMESTAMPTZ",
        "string": _TEXT,
        "json": "JSONB",
    }

    def functions(self) -> list[str]:
        return [_ROW_FUNCTION, _LINK_FUNCTION]

    def triggers(self, table: str, audit: Audit) -> list[str]:
        return [_trigger(table, audit)]

    def drop_triggers(self, table: str, audit: Audit) -> list[str]:
        return [f"DROP TRIGGER IF EXISTS {audit.key} ON {_name(table)}"]

    def instant(self, instant: datetime) -> Any:
        return instant

    def value(self, field: FieldPlan, value: Any, prefix: str | None) -> Any:
        """From JSON of PostgreSQL's own making: a uuid is text there, an instant has a zone."""
        match field.kind:
            case "id":
                return f"{prefix}_{UUID(value).hex}"
            case "decimal":
                return format(Decimal(value), f".{field.decimal_places or 0}f")
            case "number":
                return float(value)
            case "duration":
                return duration_text(int(value))
            case "ip":
                return value.removesuffix("/32").removesuffix("/128")
            case "bytes":
                return write_bytes(bytes.fromhex(value[2:]))  # \\x…
            case "json":
                return exact_json.loads(exact_json.dumps(value))
            case "datetime":
                return datetime.fromisoformat(value).astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"
            case _:
                return value


def _masked(row: str) -> str:
    """A value of a row as the trail keeps it."""
    return f"CASE WHEN name = ANY(masked) AND {row}->name <> 'null' THEN '\"{MASK}\"' ELSE {row}->name END"


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
        jsonb_object_agg(name, {_masked("was")}),
        jsonb_object_agg(name, {_masked("becomes")})
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


def _trigger(table: str, audit: Audit) -> str:
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


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

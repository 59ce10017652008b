"""The audit trail in SQLite: triggers that hold everything themselves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sternpost.kinds import write_bytes
from sternpost.plan.audit import AUDIT_TABLE, MASK, Audit, LinkAudit, RowAudit
from sternpost.plan.model import FieldPlan

MEMBERS_MAX = 63
"""Of an object that one call makes: an SQLite function takes at most 127 arguments."""

Decode = Callable[[FieldPlan, str | None], Callable[[Any], Any] | None]


class SqliteAudit:
    """Its part of the dialect.

    Args:
        decode: the dialect's: JSON in the trail holds values as the columns do.
    """

    column_types = {  # noqa: RUF012  (part of a protocol)
        "counted": "INTEGER",
        "datetime": "TEXT",
        "string": "TEXT",
        "json": "TEXT",
    }

    def __init__(self, decode: Decode) -> None:
        self._decode = decode

    def functions(self) -> list[str]:
        return []

    def triggers(self, table: str, audit: Audit) -> list[str]:
        return _row_triggers(table, audit) if isinstance(audit, RowAudit) else _link_triggers(table, audit)

    def drop_triggers(self, table: str, audit: Audit) -> list[str]:
        actions = ("create", "update", "delete") if isinstance(audit, RowAudit) else ("link", "unlink")
        return [f"DROP TRIGGER IF EXISTS {_trigger(table, audit, action)}" for action in actions]

    def instant(self, instant: datetime) -> Any:
        """As SQLite's clock writes it, so that they compare as text."""
        return instant.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")

    def value(self, field: FieldPlan, value: Any, prefix: str | None) -> Any:
        if field.kind == "number":
            return float(value)
        if field.kind == "bytes":
            return write_bytes(bytes.fromhex(value[2:-1]))  # as `quote` writes it: X'…'
        decode = self._decode(field, prefix)
        return value if decode is None else decode(value)


def _trigger(table: str, audit: Audit, action: str) -> str:
    return _name(f"{audit.key}_{table}_{action}")


def _row_triggers(table: str, audit: RowAudit) -> list[str]:
    # A masked value is told apart from none, and a real keeps all its digits, which JSON functions would cut.
    def value(row: str, column: str) -> str:
        text = f"{row}.{_name(column)}"
        if column in audit.masked:
            return f"iif({text} IS NULL, NULL, '{MASK}')"
        return f"iif({text} IS NULL, NULL, quote({text}))" if column in audit.reals else text

    def whole(row: str) -> str:
        if len(audit.columns) <= MEMBERS_MAX:
            return f"json_object({', '.join(f'{_text(column)}, {value(row, column)}' for column in audit.columns)})"
        members = " UNION ALL ".join(f"SELECT {_text(c)} AS name, {value(row, c)} AS was" for c in audit.columns)
        return f"(SELECT json_group_object(name, was) FROM ({members}))"

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
        _insert(audit, "NEW", action)
        + f"json_group_object(name, was), json_group_object(name, becomes) FROM (\n    {parts}\n    )"
    )
    return [
        _create(table, audit, "create", "INSERT", _insert(audit, "NEW", "'create'") + f"NULL, {whole('NEW')}"),
        _create(table, audit, "update", "UPDATE", update, when=" OR ".join(changed)),
        _create(table, audit, "delete", "DELETE", _insert(audit, "OLD", "'delete'") + f"{whole('OLD')}, NULL"),
    ]  # fmt: skip


def _link_triggers(table: str, audit: LinkAudit) -> list[str]:
    def recorded(row: str, action: str) -> str:
        other = (
            f"json_object({_text(audit.relation)}, {_text(audit.remote_prefix + '_')} || {row}.{_name(audit.remote)})"
        )
        return (
            f"INSERT INTO {AUDIT_TABLE} (at, action, resource, row_id, before, after)\n"
            f"    SELECT {_NOW}, '{action}', {_text(audit.resource)}, "
            f"{_text(audit.prefix + '_')} || {row}.{_name(audit.local)}, "
            + (f"NULL, {other}" if action == "link" else f"{other}, NULL")
        )

    return [
        _create(table, audit, "link", "INSERT", recorded("NEW", "link")),
        _create(table, audit, "unlink", "DELETE", recorded("OLD", "unlink")),
    ]


_NOW = "strftime('%Y-%m-%dT%H:%M:%f', 'now')"


def _insert(audit: RowAudit, row: str, action: str) -> str:
    tenant = "NULL"
    if audit.tenant is not None:
        tenant = f"{row}.{_name(audit.tenant)}"
        tenant = f"{_text(audit.tenant_prefix + '_')} || {tenant}" if audit.tenant_prefix else tenant
    return (
        f"INSERT INTO {AUDIT_TABLE} (at, action, resource, row_id, tenant, before, after)\n"
        f"    SELECT {_NOW}, {action}, {_text(audit.resource)}, "
        f'{_text(audit.prefix + "_")} || {row}."id", {tenant}, '
    )


def _create(table: str, audit: Audit, action: str, event: str, statement: str, when: str = "") -> str:
    condition = f"WHEN {when}\n" if when else ""
    return (
        f"CREATE TRIGGER {_trigger(table, audit, action)} AFTER {event} ON {_name(table)}\n"
        f"{condition}BEGIN\n    {statement};\nEND"
    )


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"

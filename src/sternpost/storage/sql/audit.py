"""The audit trail: the table it is kept in, and how it is read. The triggers that write it are the drivers'.

The database itself writes it, so no way of changing a row goes past it: not a bulk change, not a cascade, not SQL by
    hand.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

from sqlalchemy import Column, Index, MetaData, PrimaryKeyConstraint, Table, bindparam, select

from sternpost.exact_json import to_author
from sternpost.plan.audit import AUDIT_TABLE, MASK
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan
from sternpost.ports.audit import AuditEntry, AuditQuery
from sternpost.ports.storage import Document
from sternpost.storage.sql.dialect import ColumnType, Dialect
from sternpost.storage.sql.statement import compile_statement

Run = Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]]

_COLUMNS: tuple[tuple[str, str, bool], ...] = (
    ("id", "counted", False),
    ("at", "datetime", False),
    ("actor", "string", True),
    ("operation", "string", True),
    ("request_id", "string", True),
    ("action", "string", False),
    ("resource", "string", False),
    ("row_id", "string", False),
    ("tenant", "string", True),
    ("before", "json", True),
    ("after", "json", True),
)
"""Names and forms of the columns, and which may be null."""


def audit_table(metadata: MetaData, dialect: Dialect) -> Table:
    """The table."""
    table = Table(
        AUDIT_TABLE,
        metadata,
        *(
            Column(name, ColumnType(dialect.audit.column_types[form]), nullable=nullable, info={"form": form})
            for name, form, nullable in _COLUMNS
        ),
        PrimaryKeyConstraint("id", name=f"pk_{AUDIT_TABLE}"),
        **dialect.table_options,
    )
    for name in ("row_id", "actor"):
        Index(f"ix_{AUDIT_TABLE}_{name}", table.c[name], table.c.id)
    return table


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
                values[name] = self._dialect.audit.instant(instant)
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
            return to_author(self._dialect.audit.value(field, value, self._prefix(field)))
        except (TypeError, ValueError, ArithmeticError):
            return value  # it was of another kind then

    def _prefix(self, field: FieldPlan) -> str | None:
        if field.references is not None:
            return self._plan.by_name[field.references].prefix
        return None


def _instant(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value).replace(tzinfo=UTC)

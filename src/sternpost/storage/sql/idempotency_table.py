"""The table of idempotency keys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index, MetaData, PrimaryKeyConstraint, Table

from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan, Kind
from sternpost.ports.own_tables import IDEMPOTENCY_TABLE
from sternpost.storage.sql.dialect import Dialect

_INSTANT: Kind = next(kind.name for kind in KINDS.values() if kind.types[0] is datetime)
_KINDS: tuple[tuple[str, Kind], ...] = (
    ("id", "bytes"),
    ("request", "bytes"),
    ("head", "string"),
    ("body", "bytes"),
    ("expires_at", _INSTANT),
)
FIELDS = {name: FieldPlan(name=name, public_name=name, kind=kind) for name, kind in _KINDS}
ANSWER = ("request", "head", "body")


def idempotency_table(metadata: MetaData, dialect: Dialect) -> Table:
    """The table: a row for each key, found by its id alone; those that expire are found by when they do."""
    table = Table(
        IDEMPOTENCY_TABLE,
        metadata,
        *(
            Column(name, dialect.column_type(field), nullable=False, info={"form": field.kind})
            for name, field in FIELDS.items()
        ),
        PrimaryKeyConstraint("id", name=f"pk_{IDEMPOTENCY_TABLE}"),
        **dialect.table_options,
    )
    Index(f"ix_{IDEMPOTENCY_TABLE}_expires_at", table.c.expires_at)
    return table

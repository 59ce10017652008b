"""Versioned changes of a database's schema: planned from the contract, both directions, on both databases.

A migration file imports its vocabulary from here.
"""

from sternpost.plan.audit import LinkAudit, RowAudit
from sternpost.ports.schema import (
    Check,
    Column,
    ForeignKey,
    Index,
    PrimaryKey,
    TableShape,
    Type,
    Unique,
    sql,
    types,
)
from sternpost.ports.steps import (
    AddAudit,
    AddColumn,
    AddIndex,
    AddRule,
    Alembic,
    ChangeCheck,
    ChangeForm,
    ChangeType,
    CreateTable,
    DropAudit,
    DropColumn,
    DropIndex,
    DropRule,
    DropTable,
    Execute,
    Nullable,
    RenameColumn,
    RenameIndex,
    RenameRule,
    RenameTable,
    Step,
    Update,
)

Table = TableShape
"""Its name in migration files that are older than this one."""

__all__ = [
    "AddAudit",
    "AddColumn",
    "AddIndex",
    "AddRule",
    "Alembic",
    "ChangeCheck",
    "ChangeForm",
    "ChangeType",
    "Check",
    "Column",
    "CreateTable",
    "DropAudit",
    "DropColumn",
    "DropIndex",
    "DropRule",
    "DropTable",
    "Execute",
    "ForeignKey",
    "Index",
    "LinkAudit",
    "Nullable",
    "PrimaryKey",
    "RenameColumn",
    "RenameIndex",
    "RenameRule",
    "RenameTable",
    "RowAudit",
    "Step",
    "Table",
    "TableShape",
    "Type",
    "Unique",
    "Update",
    "sql",
    "types",
]

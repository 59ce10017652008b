"""Versioned changes of a database's schema: planned from the contract, both directions, on both databases.

A migration file imports its vocabulary from here.
"""

from sternpost.migrations.shape import Check, Column, ForeignKey, Index, PrimaryKey, Table, Type, Unique, sql, types
from sternpost.migrations.steps import (
    AddColumn,
    AddIndex,
    AddRule,
    Alembic,
    ChangeCheck,
    ChangeType,
    CreateTable,
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

__all__ = [
    "AddColumn",
    "AddIndex",
    "AddRule",
    "Alembic",
    "ChangeCheck",
    "ChangeType",
    "Check",
    "Column",
    "CreateTable",
    "DropColumn",
    "DropIndex",
    "DropRule",
    "DropTable",
    "Execute",
    "ForeignKey",
    "Index",
    "Nullable",
    "PrimaryKey",
    "RenameColumn",
    "RenameIndex",
    "RenameRule",
    "RenameTable",
    "Step",
    "Table",
    "Type",
    "Unique",
    "Update",
    "sql",
    "types",
]

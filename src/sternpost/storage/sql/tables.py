"""What a database tells of its own tables; the drivers fill it in, and a contract can be inferred from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """One column.

    Attributes:
        type: PostgreSQL's name of the type without its length (`enum` and `array` for those), or as SQLite's DDL says.
        element: the type of an array's elements.
        default: SQL.
        counted: the database makes the next number where none is given.
        generated: its value cannot be set.
        samples: some of its values, where the type does not tell how they are kept.
    """

    name: str
    type: str
    nullable: bool
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    element: str | None = None
    choices: tuple[str, ...] = ()
    default: str | None = None
    counted: bool = False
    generated: bool = False
    comment: str = ""
    samples: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundForeignKey:
    """Columns that hold the key of another table's row; `on_delete` in SQL's words."""

    columns: tuple[str, ...]
    schema: str | None
    table: str
    remote: tuple[str, ...]
    on_delete: str = "NO ACTION"


@dataclass(frozen=True, slots=True)
class FoundTable:
    """One table.

    Attributes:
        schema: None for the one that is searched first.
        unique: groups of columns whose values do not repeat, beside the key.
        indexed: columns that some index begins with.
        checks: conditions in SQL.
    """

    schema: str | None
    name: str
    columns: tuple[FoundColumn, ...]
    key: tuple[str, ...]
    unique: tuple[tuple[str, ...], ...] = ()
    foreign_keys: tuple[FoundForeignKey, ...] = ()
    indexed: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    comment: str = ""

    @property
    def key_column(self) -> FoundColumn:
        """The column of a key that is one column."""
        (name,) = self.key
        return next(column for column in self.columns if column.name == name)

    @property
    def shown(self) -> str:
        """Its name for people."""
        return f"{self.schema}.{self.name}" if self.schema else self.name


@dataclass(frozen=True, slots=True)
class Found:
    """The tables of a database, and what else there is that is none, with the reason."""

    dialect: str
    tables: tuple[FoundTable, ...]
    left_out: tuple[tuple[str, str], ...] = ()

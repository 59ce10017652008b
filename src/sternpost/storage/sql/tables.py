"""What a database tells of its own tables; the drivers fill it in, and a contract can be inferred from it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from sternpost.storage.sql.keys import KEY_BYTES


@dataclass(frozen=True, slots=True)
class FoundColumn:
    """One column.

    Attributes:
        type: PostgreSQL's name of the type without its length (`enum` and `array` for those), or as SQLite's DDL says.
        element: the type of an array's elements.
        dimensions: how many an array was declared with; 0 for other types.
        default: SQL.
        counted: the database makes the next number where none is given.
        generated: its value cannot be set.
        samples: some of its values, where the type does not tell how they are kept.
        domains: the names of the domains that its type is made of.
        unreadable: why its values cannot be read; empty where they can.
    """

    name: str
    type: str
    nullable: bool
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    element: str | None = None
    dimensions: int = 0
    choices: tuple[str, ...] = ()
    default: str | None = None
    counted: bool = False
    generated: bool = False
    comment: str = ""
    samples: tuple[Any, ...] = ()
    domains: tuple[str, ...] = ()
    unreadable: str = ""


def short_text_key(columns: Iterable[FoundColumn], key: Sequence[str]) -> str | None:
    """The key, where it is one text so short that an id may have room for it: whether it has is told by the values, of
    which a few characters may take more bytes."""
    if len(key) != 1:
        return None
    (column,) = (each for each in columns if each.name == key[0])
    return column.name if 0 < (column.length or 0) <= KEY_BYTES and not column.unreadable else None


def key_of_many_forms(name: str) -> str:
    """Why a table cannot be served whose key is equal to other texts, as by a collation that ignores case."""
    return (
        f"its key {name} is compared by a collation for which different texts are equal, so that no id stands for a row"
    )


def too_long_key(name: str) -> str:
    """Why a table with longer ones cannot be served."""
    return f"its key {name} is a text of more than {KEY_BYTES} bytes in some rows, too long for an id"


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
        enforced: what else the database alone sees to, such as an index over an expression, or a trigger.
        unfit: why its rows cannot be served; empty where they can.
        takes_no_row, drops_no_row: why the database refuses every new row, or every deletion; empty where it does not.
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
    enforced: tuple[str, ...] = ()
    unfit: str = ""
    takes_no_row: str = ""
    drops_no_row: str = ""

    @property
    def key_column(self) -> FoundColumn:
        """The column of a key that is one column."""
        (name,) = self.key
        return next(column for column in self.columns if column.name == name)

    @property
    def shown(self) -> str:
        """Its name for people."""
        return shown(self.schema, self.name)


Place = tuple[str | None, str]
"""Schema and table; no schema stands for the one that is searched first."""


def shown(schema: str | None, table: str) -> str:
    """A table's name for people."""
    return f"{schema}.{table}" if schema else table


@dataclass(frozen=True, slots=True)
class Selection:
    """Which tables are read.

    Attributes:
        only: their names, with or without the schema; None for all.
        exclude: patterns as of file names (`tmp_*`), for the name with or without the schema.
    """

    only: frozenset[str] | None = None
    exclude: tuple[str, ...] = ()

    def __contains__(self, table: Place) -> bool:
        schema, name = table
        names = {name, shown(schema, name)}
        return (self.only is None or not self.only.isdisjoint(names)) and not any(
            matches_one(pattern, names) for pattern in self.exclude
        )


def matches_one(pattern: str, names: Iterable[str]) -> bool:
    """Whether a pattern as of file names fits one of the names."""
    return any(fnmatchcase(name, pattern) for name in names)


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class Found:
    """The tables of a database, and what else there is that is none, with the reason."""

    dialect: str
    tables: tuple[FoundTable, ...]
    left_out: tuple[tuple[str, str], ...] = ()

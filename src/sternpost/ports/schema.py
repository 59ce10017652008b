"""A database's schema as plain data, the same for all databases: what a contract needs, and what migrations lead to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import Literal

from sternpost.plan.audit import Audit
from sternpost.plan.conditions import quoted_names, rules_in
from sternpost.plan.rules import ColumnRule

DatabaseName = Literal["sqlite", "postgresql"]
"""The databases that there are drivers for, as settings, dialects and migration files call them."""

DATABASE_NAMES: tuple[DatabaseName, ...] = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Sql:
    """An expression or a condition in the words of each database; None where a database needs none."""

    sqlite: str | None
    postgresql: str | None

    def on(self, database: DatabaseName) -> str | None:
        """The words of one database."""
        return getattr(self, database)

    @property
    def only(self) -> DatabaseName | None:
        """The one database that it has words for; None where all have some."""
        names: list[DatabaseName] = [name for name in DATABASE_NAMES if self.on(name) is not None]
        return names[0] if len(names) == 1 else None


def sql(text: str | None = None, *, sqlite: str | None = None, postgresql: str | None = None) -> Sql:
    """SQL: one text for both databases, or one for each."""
    return Sql(sqlite if text is None else text, postgresql if text is None else text)


@dataclass(frozen=True)
class Type:
    """A column's type in each database, and the form of its values, which may differ where the type does not."""

    sqlite: str
    postgresql: str
    form: str = ""

    def on(self, database: DatabaseName) -> str:
        """The type in one database."""
        return getattr(self, database)

    @property
    def digits(self) -> tuple[int, int] | None:
        """For a decimal: its digits in all, and those after the point."""
        found = re.fullmatch(r"decimal\((\d+), (\d+)\)", self.form)
        return (int(found[1]), int(found[2])) if found else None


def _decimal(digits: int, places: int) -> Type:
    return Type("INTEGER", f"NUMERIC({digits}, {places})", f"decimal({digits}, {places})")


types = SimpleNamespace(
    id=Type("TEXT", "UUID", "id"),
    string=Type("TEXT", 'TEXT COLLATE "C"', "string"),
    enum=Type("TEXT", 'TEXT COLLATE "C"', "enum"),
    integer=Type("INTEGER", "BIGINT", "integer"),
    number=Type("REAL", "DOUBLE PRECISION", "number"),
    boolean=Type("INTEGER", "BOOLEAN", "boolean"),
    datetime=Type("TEXT", "TIMESTAMPTZ", "datetime"),
    date=Type("TEXT", "DATE", "date"),
    time=Type("TEXT", "TIME", "time"),
    duration=Type("INTEGER", "BIGINT", "duration"),
    uuid=Type("TEXT", "UUID", "uuid"),
    ip=Type("TEXT", "INET", "ip"),
    bytes=Type("BLOB", "BYTEA", "bytes"),
    json=Type("TEXT", "JSONB", "json"),
    position=Type("INTEGER", "INTEGER", "position"),
    decimal=_decimal,
)
"""The types that a contract's fields get; `types.decimal(digits, places)` for decimals."""


@dataclass(frozen=True)
class Column:
    """A column. `fill` is what rows get that are older than it."""

    name: str
    type: Type
    nullable: bool = False
    fill: Sql | None = field(default=None, compare=False)


@dataclass(frozen=True)
class PrimaryKey:
    """The key of a table."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Unique:
    """Values that no two rows may share."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """A condition that every row fulfils; a database whose part is None has none.

    Attributes:
        said: the rules that the condition was made of. A migration file has the condition alone, which is read instead.
    """

    name: str
    condition: Sql
    said: tuple[ColumnRule, ...] | None = field(default=None, compare=False, repr=False, metadata={"in file": False})

    @cached_property
    def rules(self) -> tuple[ColumnRule, ...] | None:
        """What it asks of its columns; None where that cannot be told."""
        if self.said is not None:
            return self.said
        text = self.condition.postgresql or self.condition.sqlite
        return None if text is None else rules_in(text, brackets_quote=False)

    @cached_property
    def columns(self) -> frozenset[str]:
        """The columns that it looks at."""
        texts = [text for name in DATABASE_NAMES if (text := self.condition.on(name)) is not None]
        return frozenset(name for text in texts for name in quoted_names(text))


@dataclass(frozen=True)
class ForeignKey:
    """Columns that refer to a row of another table."""

    name: str
    columns: tuple[str, ...]
    table: str
    targets: tuple[str, ...] = ("id",)
    on_delete: str | None = None


Rule = Unique | Check | ForeignKey


@dataclass(frozen=True)
class IndexedColumn:
    """What an index holds of a column: its values, or its texts in lower case; in descending order or not."""

    name: str
    lowered: bool = False
    descending: bool = False

    @property
    def text(self) -> str:
        """As an index lists it, without quotes: each database has other words that need them."""
        value = f"lower({self.name})" if self.lowered else self.name
        return f"{value} DESC" if self.descending else value


_INDEXED = re.compile(r'(?P<lower>lower\()?(?P<quote>"?)(?P<name>\w+)(?P=quote)(?(lower)\))(?P<descending> DESC)?')


def indexed_column(text: str) -> IndexedColumn | None:
    """The column that an index lists; None for an expression of the author's."""
    found = _INDEXED.fullmatch(text)
    return found and IndexedColumn(found["name"], found["lower"] is not None, found["descending"] is not None)


@dataclass(frozen=True)
class Index:
    """An index of columns, or of expressions; `where` makes it a partial one."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    where: Sql | None = None

    def __post_init__(self) -> None:
        plain = tuple(text if (found := indexed_column(text)) is None else found.text for text in self.columns)
        object.__setattr__(self, "columns", plain)


@dataclass(frozen=True)
class NoOverlap:
    """Spans of rows with the same keys, of which no two overlap. The end is no part of a span; null is an open end.

    Attributes:
        keys: as an index lists them.
        form: that of the values of start and end.
        where: which rows are compared; None for all.
    """

    name: str
    keys: tuple[str, ...]
    start: str
    end: str
    form: str
    where: Sql | None = None

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it looks at."""
        keys = [found.name for key in self.keys if (found := indexed_column(key)) is not None]
        texts = [text for name in DATABASE_NAMES if self.where is not None and (text := self.where.on(name))]
        return frozenset([*keys, self.start, self.end, *(name for text in texts for name in quoted_names(text))])


@dataclass(frozen=True)
class Search:
    """An index of the words in the texts of some columns, in their order."""

    name: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class TableShape:
    """A table with everything that belongs to it."""

    name: str
    columns: tuple[Column, ...]
    primary_key: PrimaryKey
    rules: tuple[Rule, ...] = ()
    indexes: tuple[Index, ...] = ()
    audit: tuple[Audit, ...] = ()
    overlaps: tuple[NoOverlap, ...] = ()
    search: Search | None = None

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


Shape = dict[str, TableShape]
"""Tables by name, in an order in which they can be created."""

"""What a migration does, as data: a migration file lists steps, and each database has its own way to take them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sternpost.plan.audit import Audit
from sternpost.ports.schema import Column, DatabaseName, Index, NoOverlap, Rule, Search, Sql, TableShape, Type

BATCH_ROWS = 1000


@dataclass(frozen=True)
class _Step:
    @property
    def loses(self) -> str | None:
        """What is gone afterwards, however the step is undone; None for nothing."""
        return None

    @property
    def additive(self) -> bool:
        """Whether a process that was made for the schema before it works on."""
        return False

    @property
    def title(self) -> str:
        """The step in a few words."""
        raise NotImplementedError


@dataclass(frozen=True)
class CreateTable(_Step):
    """A new table with its rules and indexes."""

    table: TableShape

    @property
    def additive(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return f"create table {self.table.name}"


@dataclass(frozen=True)
class DropTable(_Step):
    """Removes a table."""

    table: str

    @property
    def loses(self) -> str | None:
        return f"table {self.table} with all its rows"

    @property
    def title(self) -> str:
        return f"drop table {self.table}"


@dataclass(frozen=True)
class RenameTable(_Step):
    """Gives a table another name."""

    table: str
    to: str

    @property
    def title(self) -> str:
        return f"rename table {self.table} to {self.to}"


@dataclass(frozen=True)
class AddColumn(_Step):
    """A new column, empty at first: a step `Update` fills it, and `Nullable(…, nullable=False)` closes it."""

    table: str
    column: Column

    @property
    def additive(self) -> bool:
        return self.column.nullable

    @property
    def title(self) -> str:
        return f"add column {self.table}.{self.column.name}"


@dataclass(frozen=True)
class DropColumn(_Step):
    """Removes a column."""

    table: str
    column: str

    @property
    def loses(self) -> str | None:
        return f"column {self.table}.{self.column} with its values"

    @property
    def title(self) -> str:
        return f"drop column {self.table}.{self.column}"


@dataclass(frozen=True)
class RenameColumn(_Step):
    """Gives a column another name."""

    table: str
    column: str
    to: str

    @property
    def title(self) -> str:
        return f"rename column {self.table}.{self.column} to {self.to}"


@dataclass(frozen=True)
class ChangeType(_Step):
    """Another type for a column, whose values become `using`.

    Attributes:
        narrowing: what may be lost, such as "digits after the point"; None where every value survives.
    """

    table: str
    column: str
    type: Type
    using: Sql
    narrowing: str | None = None

    @property
    def loses(self) -> str | None:
        return f"column {self.table}.{self.column}: {self.narrowing}" if self.narrowing else None

    @property
    def title(self) -> str:
        return f"change the type of {self.table}.{self.column} to {self.type.form or self.type.postgresql}"


@dataclass(frozen=True)
class ChangeForm(_Step):
    """Another meaning of the same values, such as a text that is one of a list: databases have nothing to do."""

    table: str
    column: str
    type: Type

    @property
    def additive(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return f"take {self.table}.{self.column} as {self.type.form}"


@dataclass(frozen=True)
class Nullable(_Step):
    """Allows NULL in a column, or forbids it; `fill` is for rows that came while the migration ran."""

    table: str
    column: str
    nullable: bool
    fill: Sql | None = None

    @property
    def additive(self) -> bool:
        return self.nullable

    @property
    def title(self) -> str:
        return f"{'allow' if self.nullable else 'forbid'} NULL in {self.table}.{self.column}"


@dataclass(frozen=True)
class AddRule(_Step):
    """A new unique constraint, check or foreign key."""

    table: str
    rule: Rule

    @property
    def title(self) -> str:
        return f"add {self.rule.name} to {self.table}"


@dataclass(frozen=True)
class DropRule(_Step):
    """Removes a constraint."""

    table: str
    name: str

    @property
    def additive(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return f"drop {self.name} from {self.table}"


@dataclass(frozen=True)
class RenameRule(_Step):
    """Gives a rule, or the primary key, another name; `only` where one database alone has it."""

    table: str
    name: str
    to: str
    only: DatabaseName | None = None

    @property
    def title(self) -> str:
        return f"rename {self.name} to {self.to}"


@dataclass(frozen=True)
class ChangeCheck(_Step):
    """Another condition for a check: rows that break it stop the migration.

    Attributes:
        wider: whether every row that was right stays right, so that older processes work on.
        narrowing: which values are no longer allowed; None for none.
    """

    table: str
    name: str
    condition: Sql
    wider: bool = False
    narrowing: str | None = None

    @property
    def loses(self) -> str | None:
        return f"{self.table}: {self.narrowing}" if self.narrowing else None

    @property
    def additive(self) -> bool:
        return self.wider

    @property
    def title(self) -> str:
        return f"change {self.name} of {self.table}"


@dataclass(frozen=True)
class AddIndex(_Step):
    """A new index; on PostgreSQL it is built without keeping writers out."""

    table: str
    index: Index

    @property
    def additive(self) -> bool:
        return not self.index.unique

    @property
    def title(self) -> str:
        return f"add index {self.index.name}"


@dataclass(frozen=True)
class DropIndex(_Step):
    """Removes an index."""

    name: str

    @property
    def additive(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return f"drop index {self.name}"


@dataclass(frozen=True)
class RenameIndex(_Step):
    """Gives an index another name."""

    table: str
    index: Index
    to: str

    @property
    def additive(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return f"rename index {self.index.name} to {self.to}"


@dataclass(frozen=True)
class Update(_Step):
    """Changes rows in batches, each in its own transaction. After an interruption it continues after the last batch.

    Attributes:
        values: SQL expressions by column, over the row as it is.
        key: the column that puts the rows in order; unique.
        destroys: what is overwritten for good; None for nothing.
    """

    table: str
    values: Mapping[str, Sql]
    where: Sql | None = None
    batch_rows: int = BATCH_ROWS
    key: str = "id"
    destroys: str | None = None

    @property
    def loses(self) -> str | None:
        return self.destroys

    @property
    def additive(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return f"fill {', '.join(f'{self.table}.{name}' for name in self.values)} in batches of {self.batch_rows}"


@dataclass(frozen=True)
class AddAudit(_Step):
    """Triggers that record each change of a table's rows in `sternpost_audit`, instead of those that did so before."""

    table: str
    audit: Audit

    @property
    def additive(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return f"record changes of {self.table}"


@dataclass(frozen=True)
class DropAudit(_Step):
    """Stops recording changes; `only` if just one database needs it: the other replaces its triggers in one step."""

    table: str
    audit: Audit
    only: DatabaseName | None = None

    @property
    def additive(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return f"stop recording changes of {self.table}"


@dataclass(frozen=True)
class AddOverlap(_Step):
    """From now on no two spans overlap: rows that do so already stop the migration. On PostgreSQL an exclusion
    constraint, on SQLite triggers."""

    table: str
    overlap: NoOverlap

    @property
    def title(self) -> str:
        return f"add {self.overlap.name} to {self.table}"


@dataclass(frozen=True)
class DropOverlap(_Step):
    """Lets spans overlap."""

    table: str
    name: str

    @property
    def additive(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return f"drop {self.name} from {self.table}"


@dataclass(frozen=True)
class AddSearch(_Step):
    """An index of the words of a table, which every way to write keeps, with those of the rows that are there. On
    PostgreSQL a column that a trigger fills in, filled in batches, and its index, built without keeping writers out; on
    SQLite two tables and triggers."""

    table: str
    search: Search

    @property
    def additive(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return f"search {', '.join(f'{self.table}.{name}' for name in self.search.columns)}"


@dataclass(frozen=True)
class DropSearch(_Step):
    """Removes an index of words. Processes that still search fail."""

    table: str
    name: str

    @property
    def title(self) -> str:
        return f"stop searching {self.table}"


@dataclass(frozen=True)
class NeedExtension(_Step):
    """An extension of PostgreSQL, which is created where the role may do that; one that is there stays as it is, and is
    not removed on the way back."""

    name: str

    @property
    def additive(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return (
            f"PostgreSQL: have the extension {self.name} (created here if the role may create extensions; else let the "
            f"database's owner or a superuser run CREATE EXTENSION {self.name} first)"
        )


@dataclass(frozen=True)
class Execute(_Step):
    """A statement of one's own in each database, in the migration's transaction."""

    statement: Sql
    destroys: str | None = None

    @property
    def loses(self) -> str | None:
        return self.destroys

    @property
    def title(self) -> str:
        return f"execute {(self.statement.postgresql or self.statement.sqlite or '')[:60]}"


@dataclass(frozen=True)
class Alembic(_Step):
    """Operations of alembic: `run` gets its `Operations` inside the migration's transaction."""

    run: Callable[[Any], None]
    what: str
    destroys: str | None = None

    @property
    def loses(self) -> str | None:
        return self.destroys

    @property
    def title(self) -> str:
        return self.what


Step = (
    CreateTable
    | DropTable
    | RenameTable
    | AddColumn
    | DropColumn
    | RenameColumn
    | ChangeType
    | ChangeForm
    | Nullable
    | AddRule
    | DropRule
    | RenameRule
    | ChangeCheck
    | AddIndex
    | DropIndex
    | RenameIndex
    | Update
    | AddAudit
    | DropAudit
    | AddOverlap
    | DropOverlap
    | AddSearch
    | DropSearch
    | NeedExtension
    | Execute
    | Alembic
)

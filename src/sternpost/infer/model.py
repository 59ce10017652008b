"""The parts of a database's tables that a contract can express: `decide` chooses them, `source` writes them as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sternpost.compile.names import kebab
from sternpost.infer.names import many_of, snake
from sternpost.plan.model import Kind
from sternpost.storage.sql.tables import FoundColumn, FoundTable, Place

Refused = Mapping[tuple[str, str, str], str]
"""What the compiler does not take, with its reason: by class, member and option, of which the last two may be empty."""


@dataclass
class InferredField:
    """A value: how it is called, its type, and the options that are not the usual ones."""

    name: str
    column: FoundColumn
    kind: Kind
    options: dict[str, Any] = field(default_factory=dict[str, Any])
    choices: tuple[str, ...] = ()
    element: str | None = None
    target: InferredTable | None = None
    """For a reference: the other table."""
    note: str = ""

    @property
    def key_name(self) -> str:
        """The name of the field that holds the value: that of a reference ends in _id."""
        return f"{self.name}_id" if self.target is not None else self.name


@dataclass
class InferredList:
    """Rows of another table: those that refer to this one, or those linked with it."""

    name: str
    target: InferredTable
    options: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class InferredTable:
    """A table that becomes a resource."""

    table: FoundTable
    name: str
    words: list[str]
    prefix: str
    key_storage: str
    plural: str | None
    fields: list[InferredField] = field(default_factory=list[InferredField])
    lists: list[InferredList] = field(default_factory=list[InferredList])
    groups: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    notes: list[str] = field(default_factory=list[str])
    no_create: str = ""
    taken: set[str] = field(default_factory=lambda: {"id"})

    @property
    def place(self) -> Place:
        return self.table.schema, self.table.name

    @property
    def path(self) -> str:
        """Its part of an address, which is the start of its scopes as well."""
        return kebab((self.plural or snake([*self.words[:-1], many_of(self.words[-1])])).replace("-", "_"))

    @property
    def key(self) -> FoundColumn:
        return self.table.key_column


@dataclass(frozen=True)
class Inferred:
    """The resources, and what they leave out or serve in part, each with the reason."""

    tables: list[InferredTable]
    left_out: list[tuple[str, str]]

    @property
    def not_written(self) -> list[tuple[str, str]]:
        """The tables to which clients add no row, or from which they delete none, each with the reason."""
        found: list[tuple[str, str]] = []
        for table in self.tables:
            if table.no_create:
                found.append((table.table.shown, f"no row can be created: {table.no_create}"))
            if table.table.drops_no_row:
                reason = f"no row can be deleted: {table.table.drops_no_row}"
                found.append((table.table.shown, reason))
        return found

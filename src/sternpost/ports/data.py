"""What the data client asks of a database: the shape of a statement apart from its values, so that shapes are compiled once.

A shape is frozen and hashable. Where it needs a value it names a *slot*: a place in the tuple of `Slot`s that goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sternpost.ports.storage import Document, Values

Operator = Literal[
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "notIn", "contains", "startsWith", "endsWith", "isNull", "isNotNull"
]
Quantifier = Literal["some", "every", "none", "is", "isNot"]
Arithmetic = Literal["set", "increment", "decrement", "multiply", "divide"]
Function = Literal["sum", "min", "max", "avg", "count", "by"]


@dataclass(frozen=True, slots=True)
class Slot:
    """One value. With a field it is in the pipeline's form, and the driver encodes it as that field's; else it is bound as it is.

    Attributes:
        form: a value of the field, a list of such, something an average of them is compared with, or the two whole
            numbers of the fraction by which the field is multiplied, behind the author's own number.
    """

    value: Any
    resource: str | None = None
    field: str | None = None
    form: Literal["value", "list", "average", "factor"] = "value"


@dataclass(frozen=True, slots=True)
class Test:
    """A field compared with a slot's value. Whatever the operator, it holds or it does not: null is a value like others."""

    __test__ = False  # it is no test for pytest

    field: str
    operator: Operator
    slot: int = -1
    insensitive: bool = False
    """Upper and lower case of ASCII letters are the same; the slot's value is in lower case already."""


@dataclass(frozen=True, slots=True)
class Every:
    """All parts hold; true without any."""

    parts: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Either:
    """One part holds at least; false without any."""

    parts: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Negated:
    """The part does not hold: the exact complement."""

    part: Node


@dataclass(frozen=True, slots=True)
class Related:
    """Some, every or none of the related rows fit; for a reference, the row it points at does (`is`) or not (`isNot`)."""

    relation: str
    quantifier: Quantifier
    where: Node


Node = Test | Every | Either | Negated | Related


@dataclass(frozen=True, slots=True)
class OrderBy:
    """A value to sort by: a field, or one of a row that a reference leads to."""

    path: tuple[str, ...]
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True)
class After:
    """Only rows behind this one in the order: per value to sort by a slot, or None where that value is null."""

    slots: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A relation to read along, with its own fields, conditions, order and limit per parent."""

    relation: str
    query: Query


@dataclass(frozen=True, slots=True)
class Query:
    """Rows of a resource.

    Attributes:
        distinct: of the rows that agree in these fields, the first.
        limit, offset: slots, or None.
        lock: rows are kept unchanged until the transaction ends.
    """

    resource: str
    fields: tuple[str, ...]
    where: Node = Every()
    order: tuple[OrderBy, ...] = ()
    includes: tuple[Inclusion, ...] = ()
    distinct: tuple[str, ...] = ()
    after: After | None = None
    limit: int | None = None
    offset: int | None = None
    lock: bool = False


@dataclass(frozen=True, slots=True)
class Measure:
    """A value over a group of rows; `count` has no field, `by` is a field that the group agrees in."""

    function: Function
    field: str = ""


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Values over groups of rows. `having` compares measures with slots; `order` sorts by them."""

    resource: str
    measures: tuple[Measure, ...]
    where: Node = Every()
    by: tuple[str, ...] = ()
    having: tuple[tuple[Measure, Operator, int], ...] = ()
    order: tuple[tuple[Measure, bool], ...] = ()
    limit: int | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """What an update does to a field: sets it, or computes it from what it is."""

    field: str
    arithmetic: Arithmetic
    slot: int


@dataclass(frozen=True, slots=True)
class RowsUpdate:
    """A change of all rows that fit."""

    resource: str
    where: Node
    assignments: tuple[Assignment, ...]
    fields: tuple[str, ...] = ()
    """What to give back of each; without any only their number is known."""


@dataclass(frozen=True, slots=True)
class Upsert:
    """A new row, or the change of the one that has the same values in the fields of `key`."""

    resource: str
    names: tuple[str, ...]
    key: tuple[str, ...]
    assignments: tuple[Assignment, ...]
    fields: tuple[str, ...]


Slots = Sequence[Slot]


class DataReader(Protocol):
    """Reads of the data client."""

    async def select(self, query: Query, slots: Slots) -> list[Document]:
        """Rows, with what they include: one statement for the rows and one for each included relation."""
        ...

    async def count(self, resource: str, where: Node, slots: Slots) -> int:
        """How many rows fit."""
        ...

    async def aggregate(self, aggregation: Aggregation, slots: Slots) -> list[list[Any]]:
        """Per group its measures, in their order, as Python's values. Averages of integers and decimals are `Decimal`."""
        ...

    async def sql(self, text: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Rows of the author's own statement. Outside a transaction the database lets it read only."""
        ...

    def key(self, resource: str, digits: str) -> Any:
        """An id's digits as its column holds them."""
        ...

    def decoded(self, resource: str, row: Mapping[str, Any]) -> Document:
        """Columns of a resource, as the author's own statement gave them, as a document."""
        ...


class DataSession(DataReader, Protocol):
    """Reads and writes of the data client in one transaction."""

    async def insert_rows(
        self, resource: str, rows: Sequence[Values], *, skip: bool, fields: tuple[str, ...] = ()
    ) -> tuple[int, list[Document]]:
        """Adds rows, many with one statement; with `skip` those that break a unique rule are left out.

        Returns:
            How many were added, and these fields of each where some are asked for.
        """
        ...

    async def update_rows(self, update: RowsUpdate, slots: Slots) -> tuple[int, list[Document]]:
        """Changes rows; how many, and what was asked for of each."""
        ...

    async def delete_rows(self, resource: str, where: Node, slots: Slots, *, at: datetime) -> int:
        """Removes rows; how many. Those that are kept are marked as deleted `at` that instant."""
        ...

    async def upsert(self, upsert: Upsert, values: Values, slots: Slots) -> Document:
        """Adds the row or changes the one that is there, in one statement."""
        ...

    async def link(self, resource: str, relation: str, id: str, targets: Sequence[str]) -> None:
        """Adds pairs of a many-to-many relation; those that are there stay."""
        ...

    async def unlink(self, resource: str, relation: str, id: str, targets: Sequence[str]) -> None:
        """Removes pairs of a many-to-many relation."""
        ...

    async def execute(self, text: str, values: Mapping[str, Any]) -> int:
        """Runs the author's own statement; how many rows it changed."""
        ...

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """A part of the transaction that is undone alone when the block raises."""
        ...

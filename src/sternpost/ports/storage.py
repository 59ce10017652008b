"""Storage: what the pipeline and the data client ask of a database. Drivers live in `sternpost.storage`.

Rows are asked for in the language of `sternpost.plan.query`. Values cross this border in one form on every driver:
- in: ids as 32 hexadecimal digits, datetimes with a zone, `Decimal`, `date`, `UUID`, JSON-ready data for json fields;
- out: *documents*, dictionaries by JSON name whose values a JSON encoder writes as they are (ids prefixed, decimals as
    text).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sternpost.deadline import Deadline
from sternpost.plan.caller import Caller
from sternpost.plan.model import Plan
from sternpost.plan.query import Aggregate, Fact, Modify, Remove, Select, Upsert
from sternpost.ports.audit import AuditTrail
from sternpost.ports.budget import Budget
from sternpost.ports.idempotency import AnswerStore
from sternpost.ports.keys import KeyStore
from sternpost.ports.outbox import NO_EVENTS, Events, Outbox
from sternpost.ports.pools import PoolUse
from sternpost.telemetry.timings import Timings

Isolation = Literal["read committed", "repeatable read", "serializable"]

Document = dict[str, Any]
Values = Mapping[str, Any]
"""A row, or some of its fields, by name."""

Slots = Sequence[Any]
"""The values of a query's slots."""

PART_ROWS = 500
"""Rows of an export that are in memory at a time."""

Position = tuple[Any, ...]
"""A place in a list: the values of the list's order in the row it is behind, JSON-ready, in a form only the driver
reads."""


@dataclass(frozen=True, slots=True)
class Visibility:
    """For whom a reader or a session works: which rows exist for it.

    Attributes:
        tenant: the one whose rows there are; None for no rows of tenants at all.
        every: the rows of every tenant. For scripts that say so.
        deleted: deleted rows, too.
    """

    tenant: str | None = None
    every: bool = False
    deleted: bool = False


NO_TENANT = Visibility()
EVERY_TENANT = Visibility(every=True)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, and when: what conditions compare rows with beside values of their own.

    Attributes:
        subject: the caller's id; None for a caller without credentials.
        now: the instant of the call.
        caller: what else there is to know of the caller.
    """

    subject: str | None = None
    now: datetime | None = None
    caller: Caller | None = None


NOBODY = Asking()


@dataclass(frozen=True, slots=True)
class Arguments:
    """What travels with a query.

    Attributes:
        slots: the values that it names.
        asking: who asks, for policies.
        position: the place behind which the rows begin, as `Rows.next` told it; for a query with `after`.
        budget: how large the answer may become; None for no limit.
    """

    slots: Slots = ()
    asking: Asking = NOBODY
    position: Position | None = None
    budget: Budget | None = None


NO_ARGUMENTS = Arguments()


Allow = Callable[[Mapping[Fact, Any]], None]
"""Raises an error where what is known of a row (its facts) forbids to read on."""


@dataclass(slots=True)
class Row:
    """One row: what the client may get of it, what a policy has to know, and what was cut of it (see `Rows`)."""

    document: Document
    facts: dict[Fact, Any]
    cut: AbstractSet[str] = frozenset()


@dataclass(slots=True)
class Rows:
    """A part of a list.

    Attributes:
        total: how many rows there are in all, where it was asked for.
        cut: relations of which only the first rows were given, because there are more than `Nested.most` or its limit;
            each by its path from the rows, as `posts.comments`.
        next: where the list goes on, where that was asked for; None at its end.
    """

    documents: list[Document]
    total: int | None = None
    cut: AbstractSet[str] = frozenset()
    next: Position | None = None


@dataclass(slots=True)
class Statistics:
    """What one call cost; counted by the driver.

    Attributes:
        timings: where each statement is noted with its time; None where nobody wants to know.
    """

    statements: int = 0
    timings: Timings | None = None


@dataclass(frozen=True, slots=True)
class TransactionOptions:
    """What a transaction may ask for.

    Attributes:
        isolation: None for the database's own; SQLite is always serializable.
        timeout_seconds: how long its statements may take, told to the server too. Raises `Timeout`.
    """

    isolation: Isolation | None = None
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """For whom rows are changed, and why: the audit trail says so."""

    actor: str | None
    operation: str | None = None
    request_id: str | None = None


class Reader(Protocol):
    """Reads, each on its own or inside a transaction."""

    statistics: Statistics
    visibility: Visibility
    writes: bool
    """Whether it is a `Session`."""

    def with_deleted(self) -> Reader:
        """The same, and deleted rows are there for it, too."""
        ...

    async def get(
        self, query: Select, key: str, arguments: Arguments = NO_ARGUMENTS, *, allow: Allow | None = None
    ) -> Row | None:
        """One row by its id, or None; for a query without a condition.

        Args:
            allow: asked about the row before its lock is waited for and before its relations are read, so that neither
                tells of a row that there is not for the caller.
        """
        ...

    async def select(
        self, query: Select, arguments: Arguments = NO_ARGUMENTS, *, count: bool = False, resume: bool = False
    ) -> Rows:
        """Rows, with their relations: one statement for the rows and one for each relation.

        Args:
            count: also how many rows there are without limit, offset and position.
            resume: also where the list goes on behind the last row; for a query with a limit.

        Raises:
            Invalid: the relations hold more rows than the budget allows, or the answer has more bytes.
        """
        ...

    async def count(self, query: Select, arguments: Arguments = NO_ARGUMENTS) -> int:
        """How many rows fit a query, whatever its limit, offset and position."""
        ...

    async def position(self, query: Select, key: str, slots: Slots = ()) -> Position | None:
        """The place of a row, by its id, in a query's order; None where there is no such row."""
        ...

    async def position_now(self, query: Select, position: Position) -> Position | None:
        """Where the row that a position stands for is now, whatever else of the position is still true; None where
        there is no such row."""
        ...

    async def facts(
        self, resource: str, values: Values, facts: Sequence[Fact], asking: Asking = NOBODY
    ) -> dict[Fact, Any]:
        """What a policy has to know about a row that is not stored yet; follows its references."""
        ...

    async def aggregate(self, query: Aggregate, slots: Slots = ()) -> list[list[Any]]:
        """Per group its measures, in their order, as Python's values. Averages of integers and decimals are
        `Decimal`."""
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


class Session(Reader, Protocol):
    """Reads and writes of one transaction."""

    async def attribute(self, origin: Origin) -> None:
        """Says for whom everything is that is changed from here on; for plans with audited resources."""
        ...

    async def emit(self, events: Events) -> None:
        """Writes events, which are there for readers when the transaction is committed; for plans with an outbox."""
        ...

    def next_step(self) -> None:
        """Begins another step of a batch: what the steps before have written counts as other rows for policies that
        look into lists."""
        ...

    async def insert(self, resource: str, values: Values) -> Document:
        """Adds a row and gives it back."""
        ...

    async def insert_rows(
        self, resource: str, rows: Sequence[Values], *, skip: bool, returning: tuple[str, ...] = ()
    ) -> tuple[int, list[Document]]:
        """Adds rows, many with one statement; with `skip` those that break a unique rule are left out.

        Returns:
            How many were added, and these fields of each, in the order of the rows, where some are asked for.
        """
        ...

    async def modify(self, modify: Modify, slots: Slots) -> tuple[int, list[Document]]:
        """Changes rows; how many, and what was asked for of each."""
        ...

    async def remove(self, remove: Remove, slots: Slots, *, at: datetime | None = None) -> int:
        """Removes rows; how many. Those that are kept are marked as deleted `at` that instant."""
        ...

    async def restore(self, resource: str, id: str) -> bool:
        """Restores a deleted row, and what was deleted with it; False where there is none that is deleted.

        Raises:
            Duplicate: another row has one of its unique values by now.
            ReferenceNotFound: it refers to a row that is deleted.
        """
        ...

    async def upsert(self, upsert: Upsert, values: Values, slots: Slots) -> Document:
        """Adds the row or changes the one that is there, in one statement."""
        ...

    async def replace_owned(self, resource: str, relation: str, id: str, rows: Sequence[Values]) -> list[Document]:
        """Makes `rows` the whole owned list, in this order."""
        ...

    async def replace_links(self, resource: str, relation: str, id: str, targets: Sequence[str]) -> None:
        """Makes `targets` the whole of a many-to-many relation."""
        ...

    async def link(self, resource: str, relation: str, id: str, targets: Sequence[str]) -> None:
        """Adds pairs of a many-to-many relation; those that exist stay."""
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


class Storage(Protocol):
    """A database behind a contract.

    Attributes:
        events_written: how many events were committed through it since its start.
    """

    events_written: int

    async def open(self, plan: Plan) -> None:
        """Prepares for `plan`. An unavailable database is no error: `check` and each use report it."""
        ...

    async def close(self) -> None:
        """Gives everything back."""
        ...

    async def check(self) -> None:
        """Raises `Unavailable`, with the reason, unless the database answers and holds the contract's schema."""
        ...

    def replicas(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """By name the checks of copies that serve reads. The service works without them; a check raises as `check`
        does."""
        ...

    def pools(self) -> Sequence[PoolUse]:
        """How busy it is, by what it has a limited number of."""
        ...

    async def create_schema(self) -> bool:
        """Creates tables, indexes and constraints; False where they exist already."""
        ...

    def reader(self, statistics: Statistics | None = None, visibility: Visibility = NO_TENANT) -> Reader:
        """Reads outside a transaction."""
        ...

    def insert(
        self,
        resource: str,
        values: Values,
        statistics: Statistics,
        visibility: Visibility = NO_TENANT,
        deadline: Deadline | None = None,
        events: Events = NO_EVENTS,
    ) -> Awaitable[Document]:
        """Adds one row in a transaction of its own, and gives it back; it may share that transaction with others like
        it.

        Args:
            events: are written together with the row, or not at all.

        Raises:
            Timeout: the row was not in the database in time, and never will be. One that is on its way then is waited
                for, so that this always means: nothing was written.
            OutcomeUnknown: the database did not say what became of it.
        """
        ...

    def export(
        self, query: Select, arguments: Arguments, statistics: Statistics, visibility: Visibility = NO_TENANT
    ) -> AsyncGenerator[list[Document]]:
        """All rows of a query as they were at one moment, in parts of `PART_ROWS`.

        What it holds of the database is given back at its end, and when it is closed before.

        Raises:
            Unavailable: too many are under way.
        """
        ...

    def transaction(
        self,
        statistics: Statistics,
        options: TransactionOptions | None = None,
        visibility: Visibility = NO_TENANT,
        deadline: Deadline | None = None,
    ) -> AbstractAsyncContextManager[Session]:
        """A transaction: committed when the block ends, rolled back when it raises or is cancelled.

        Args:
            deadline: that of the block around it. It is told when the commit begins: that goes on when the time is up.

        Raises:
            Timeout: the time was up, or the database has given the commit up; nothing was kept.
            OutcomeUnknown: the database did not say what became of the commit.
        """
        ...

    def keys(self) -> KeyStore:
        """The API keys, where the plan has them."""
        ...

    def audit_trail(self) -> AuditTrail:
        """What happened to the rows of audited resources, where the plan has any."""
        ...

    def answers(self) -> AnswerStore:
        """The answers that are kept with idempotency keys, where the plan keeps any."""
        ...

    def outbox(self) -> Outbox:
        """The events of committed changes, where the plan emits any."""
        ...

    def ddl(self) -> list[str]:
        """The statements that create the schema."""
        ...

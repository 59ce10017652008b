"""Storage: what the pipeline asks of a database. Drivers live in `sternpost.storage`.

Values cross this border in one form on every driver:
- in: ids as 32 hexadecimal digits, datetimes with a zone, `Decimal`, `date`, `UUID`, JSON-ready data for json fields;
- out: *documents*, dictionaries by JSON name whose values a JSON encoder writes as they are (ids prefixed, decimals as text).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sternpost.plan.model import Plan
from sternpost.plan.policy import Path, PolicyNode
from sternpost.ports.audit import AuditTrail
from sternpost.ports.keys import KeyStore

if TYPE_CHECKING:
    from sternpost.ports.data import DataReader, DataSession

Isolation = Literal["read committed", "repeatable read", "serializable"]

Document = dict[str, Any]
Values = Mapping[str, Any]

PART_ROWS = 500
"""Rows of an export that are in memory at a time."""


@dataclass(frozen=True, slots=True)
class Scope:
    """For whom a reader or a session works: which rows there are for it.

    Attributes:
        tenant: the one whose rows there are; None for no rows of tenants at all.
        every: all rows, whosever they are. For scripts that say so.
        deleted: deleted rows, too.
    """

    tenant: str | None = None
    every: bool = False
    deleted: bool = False


NO_TENANT = Scope()
EVERY_TENANT = Scope(every=True)

Position = tuple[Any, ...]
"""A place in a list: the values of `ListShape.order` in the row it is behind, JSON-ready, in a form only the driver reads."""


@dataclass(frozen=True, slots=True)
class Include:
    """A relation to read along, and which of its rows the caller may see.

    Attributes:
        key: where `IncludeValues` are found for it; empty where it has none.
        sort: `(field, descending)`; without it the order of the list it is.
        limited: whether `IncludeValues.limit` says how many rows each parent gets; else the contract's maximum does.
    """

    relation: str
    view: View
    policy: PolicyNode | None
    key: str = ""
    conditions: tuple[Condition, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    limited: bool = False


@dataclass(frozen=True, slots=True)
class IncludeValues:
    """The values that go with an `Include`."""

    conditions: tuple[Any, ...] = ()
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class View:
    """The part of a resource to read: fields, relations, and the values a policy has to look at."""

    resource: str
    fields: tuple[str, ...]
    includes: tuple[Include, ...] = ()
    facts: tuple[Path, ...] = ()
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.resource, self.fields, self.includes, self.facts)))

    def __hash__(self) -> int:
        """Statements are found by views at every request, and views are deep: the hash is computed once."""
        return self._hash


@dataclass(frozen=True, slots=True)
class Condition:
    """One filter: the value comes apart from it, so that queries of one shape share a statement."""

    field: str
    operator: str


def whole_order(sort: tuple[tuple[str, bool], ...]) -> tuple[tuple[str, bool], ...]:
    """An order in which no two rows are equal: the id is the last to decide, in the direction of what is before it.

    So an order in one direction is one range of an index that ends in the id, read forwards or backwards.
    """
    if any(name == "id" for name, _ in sort):
        return sort
    return (*sort, ("id", bool(sort) and sort[-1][1]))


NOTHING_INCLUDED: Mapping[str, IncludeValues] = {}


@dataclass(frozen=True, slots=True)
class ListShape:
    """What makes two list queries the same statement.

    Attributes:
        policy: which rows the caller may see; None for all.
        parent: `(resource, relation)` for the list under one row, such as a user's orders.
        sort: `(field, descending)`, most significant first; the id is always added as the last. Nulls count as greater
            than every value.
        after: for the rows behind a position of the list (see `ListValues.after`): which of its values are null.
    """

    view: View
    policy: PolicyNode | None = None
    parent: tuple[str, str] | None = None
    conditions: tuple[Condition, ...] = ()
    sort: tuple[tuple[str, bool], ...] = ()
    after: tuple[bool, ...] | None = None
    _hash: int = field(init=False, repr=False, compare=False, default=0)

    def __post_init__(self) -> None:
        key = (self.view, self.policy, self.parent, self.conditions, self.sort, self.after)
        object.__setattr__(self, "_hash", hash(key))

    def __hash__(self) -> int:
        """As with views, computed once."""
        return self._hash

    @property
    def order(self) -> tuple[tuple[str, bool], ...]:
        """The whole order: `sort`, and the id that decides between equals."""
        return whole_order(self.sort)

    def behind(self, position: Position) -> ListShape:
        """The same list from behind a position on; the position itself goes into `ListValues.after`."""
        return replace(self, after=tuple(value is None for value in position))


@dataclass(frozen=True, slots=True)
class ListValues:
    """The values that go with a `ListShape`.

    Attributes:
        after: the position behind which the rows begin, as `Rows.next` told it; for a shape with `after`. There is no
            offset then.
        resume: whether `Rows.next` is wanted.
        included: values for includes of the view, by `Include.key`.
    """

    conditions: tuple[Any, ...] = ()
    parent: str | None = None
    subject: str | None = None
    limit: int | None = None
    offset: int = 0
    after: Position | None = None
    resume: bool = False
    included: Mapping[str, IncludeValues] | None = None


@dataclass(slots=True)
class Row:
    """One row: what the client may get of it, what a policy has to know, and which includes were cut (see `Rows`)."""

    document: Document
    facts: dict[Path, Any]
    cut: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class Rows:
    """A part of a list.

    Attributes:
        total: how many rows there are in all, where it was asked for.
        cut: relations of which an include gave only the first rows, because there are more than the contract, or the
            client, allows.
        next: where the list goes on, where that was asked for; None at its end.
    """

    documents: list[Document]
    total: int | None = None
    cut: set[str] = field(default_factory=set[str])
    next: Position | None = None


@dataclass(slots=True)
class Statistics:
    """What one call cost; counted by the driver."""

    statements: int = 0


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
    scope: Scope

    def data(self) -> DataReader:
        """What the data client reads with, on the same connection."""
        ...

    def with_deleted(self) -> Reader:
        """The same, and deleted rows are there for it, too."""
        ...

    async def get(
        self,
        view: View,
        id: str,
        *,
        subject: str | None = None,
        lock: bool = False,
        included: Mapping[str, IncludeValues] = NOTHING_INCLUDED,
    ) -> Row | None:
        """One row by id, or None. `lock` keeps it unchanged until the transaction ends."""
        ...

    async def browse(self, shape: ListShape, values: ListValues, *, count: bool = False) -> Rows:
        """Rows of a list; with `count` also how many there are without limit, offset and position."""
        ...

    async def facts(self, resource: str, values: Values, paths: Sequence[Path]) -> dict[Path, Any]:
        """What a policy has to know about a row that is not stored yet; follows its references."""
        ...


class Session(Reader, Protocol):
    """Reads and writes of one transaction."""

    def data(self) -> DataSession:
        """What the data client reads and writes with, in the same transaction."""
        ...

    async def attribute(self, origin: Origin) -> None:
        """Says for whom everything is that is changed from here on; for plans with audited resources."""
        ...

    async def insert(self, view: View, values: Values) -> Document:
        """Adds a row and gives it back."""
        ...

    async def update(
        self, view: View, id: str, values: Values, *, state: tuple[str, Sequence[str]] | None = None
    ) -> Document | None:
        """Changes a row and gives it back; with `state=(field, allowed)` only from these states. None where nothing matched."""
        ...

    async def delete(self, resource: str, id: str, *, at: datetime | None = None) -> bool:
        """Removes a row; False where there was none. One that is kept is marked as deleted `at` that instant."""
        ...

    async def restore(self, resource: str, id: str) -> bool:
        """Brings back a deleted row, and what was deleted with it; False where there is none that is deleted.

        Raises:
            Duplicate: another row has one of its unique values by now.
            ReferenceNotFound: it refers to a row that is deleted.
        """
        ...

    async def replace_owned(
        self, resource: str, relation: str, id: str, view: View, rows: Sequence[Values]
    ) -> list[Document]:
        """Makes `rows` the whole owned list, in this order."""
        ...

    async def replace_links(self, resource: str, relation: str, id: str, targets: Sequence[str]) -> None:
        """Makes `targets` the whole of a many-to-many relation."""
        ...

    async def increment(self, resource: str, id: str, field: str, by: Any, at_least: Any | None) -> bool:
        """Adds to a number in one statement; False where the row is missing or the result would be below `at_least`."""
        ...


class Storage(Protocol):
    """A database behind a contract."""

    async def open(self, plan: Plan) -> None:
        """Prepares for `plan`. A database that is away is no error: it is reported by `check` and by each use."""
        ...

    async def close(self) -> None:
        """Gives everything back."""
        ...

    async def check(self) -> None:
        """Raises `Unavailable`, with the reason, unless the database answers and holds the contract's schema."""
        ...

    def replicas(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """By name the checks of copies that serve reads. The service works without them; a check raises as `check` does."""
        ...

    async def create_schema(self) -> bool:
        """Creates tables, indexes and constraints; False where they are there already."""
        ...

    def reader(self, statistics: Statistics | None = None, scope: Scope = NO_TENANT) -> Reader:
        """Reads outside a transaction."""
        ...

    async def insert(
        self,
        view: View,
        values: Values,
        statistics: Statistics,
        scope: Scope = NO_TENANT,
        timeout_seconds: float | None = None,
    ) -> Document:
        """Adds one row in a transaction of its own, and gives it back; it may share that transaction with others like it.

        Raises:
            Timeout: the row was not on its way into the database in time, and never will be. One that is on its way then is
                waited for, so that this always means: nothing was written.
        """
        ...

    def export(
        self, shape: ListShape, values: ListValues, statistics: Statistics, scope: Scope = NO_TENANT
    ) -> AsyncGenerator[list[Document]]:
        """All rows of a list as they were at one moment, in parts of `PART_ROWS`.

        What it holds of the database is given back at its end, and when it is closed before.

        Raises:
            Unavailable: too many are under way.
        """
        ...

    def transaction(
        self, statistics: Statistics, options: TransactionOptions | None = None, scope: Scope = NO_TENANT
    ) -> AbstractAsyncContextManager[Session]:
        """A transaction: committed when the block ends, rolled back when it raises or is cancelled."""
        ...

    def keys(self) -> KeyStore:
        """The API keys, where the plan has them."""
        ...

    def audit_trail(self) -> AuditTrail:
        """What happened to the rows of audited resources, where the plan has any."""
        ...

    def ddl(self) -> list[str]:
        """The statements that create the schema."""
        ...

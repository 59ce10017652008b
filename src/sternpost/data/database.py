"""The data client: where its tables work (an operation's transaction, or a script's own), transactions, and raw SQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, LiteralString, Self, TypeVar, get_args, overload

from sternpost.data.access import DataAccess, HasAccess
from sternpost.data.backoff import RETRIES
from sternpost.data.rows import instance_of_columns, model_of
from sternpost.data.table import Table
from sternpost.deadline import Alarms, Deadline
from sternpost.errors import WriteConflict
from sternpost.ids import decode
from sternpost.ports.audit import Action, AuditEntry, AuditQuery
from sternpost.ports.storage import (
    Isolation,
    TransactionOptions,
)

T = TypeVar("T")
R = TypeVar("R")

_ISOLATIONS: tuple[Isolation, ...] = get_args(Isolation)


class Database:
    """Reads and writes the contract's rows.

    In a service (`ctx.data`, or the generated `Data(ctx)`) it works in the operation's own transaction; a GET operation
    only reads. In a script or a test (`async with app.data(Data) as db`) each call is a transaction of its own, unless
    it is made inside `async with db.transaction():`.

    No policy is asked: a service runs after the operation's, and a script is its author's. The contract's rules
    hold all the same, because the database keeps them.
    """

    def __init__(self, source: HasAccess | DataAccess) -> None:
        self.access = source if isinstance(source, DataAccess) else source.access

    @property
    def statements(self) -> int:
        """How many statements have been sent so far."""
        return self.access.statistics.statements

    def table(self, cls: type[T]) -> Table[T, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any, Any]:
        """The rows of a resource by its class, where no generated file gives it a name."""
        return Table(self, cls)

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation | None = None, timeout: float | None = None
    ) -> AsyncGenerator[Self]:
        """Everything in the block happens, or nothing. Inside another transaction it is a savepoint: what is outside
        stays.

        Args:
            isolation: of PostgreSQL, by default "read committed"; SQLite is always serializable. Not for savepoints.
            timeout: seconds until the whole block is ended and undone; PostgreSQL ends a running statement, too.

        Raises:
            Timeout: the time limit ran out; nothing was kept.
            OutcomeUnknown: the database did not say what became of the commit.
            WriteConflict: the database gave this transaction up in favour of another; `run` tries again.
        """
        if timeout is not None and timeout <= 0:
            raise ValueError(f"timeout is a number of seconds above 0, not {timeout}")
        if isolation is not None and isolation not in _ISOLATIONS:
            raise ValueError(f"isolation is {', '.join(_ISOLATIONS)}, not {isolation!r}")
        with Deadline(timeout, Alarms(), "The transaction took too long and was undone") as deadline:
            if self.access.session is not None:
                if isolation is not None:
                    raise TypeError("The isolation is set where the outermost transaction begins, not for a savepoint")
                async with self.access.session.savepoint():
                    yield self
            else:
                async with self.access.begin(TransactionOptions(isolation, timeout), deadline):
                    yield self

    async def run(
        self,
        function: Callable[[Self], Awaitable[R]],
        *,
        isolation: Isolation | None = None,
        timeout: float | None = None,
        retries: int = RETRIES,
    ) -> R:
        """Runs a function in a transaction, again from its start where another transaction came in between.

        Waits a random time of up to 20 ms before the second try, of up to twice as long before each further one.

        Args:
            retries: how many more times it is tried.
            timeout: seconds for each try.

        Raises:
            WriteConflict: it failed in the last try, too.
            RuntimeError: a transaction is open already: a part of one cannot be tried again.
        """
        if self.access.session is not None:
            raise RuntimeError(
                "A transaction is open here, and a part of one cannot be tried again: call run outside it"
            )
        for number in range(retries + 1):
            try:
                async with self.transaction(isolation=isolation, timeout=timeout):
                    return await function(self)
            except WriteConflict:
                if number == retries:
                    raise
            await self.access.backoff.wait(number)
        raise ValueError(f"retries is 0 or more, not {retries}")

    async def audit_trail(
        self,
        *,
        resource: str | None = None,
        row_id: str | None = None,
        actor: str | None = None,
        operation: str | None = None,
        request_id: str | None = None,
        action: Action | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
    ) -> list[AuditEntry]:
        """Recorded changes that fit all that is given, the newest first. For scripts and tests: with
        `app.data(tenant="…")` those of the tenant.

        Args:
            resource, row_id, actor, operation, request_id, action, since, until: as `sternpost audit show` has them.
            limit: how many at most.

        Raises:
            RuntimeError: in a service or a transaction: its own changes are not recorded before it is committed.
        """
        if self.access.in_operation or self.access.session is not None:
            raise RuntimeError("The audit trail is read outside of operations and transactions, with app.data()")
        visibility = self.access.visibility
        query = AuditQuery(
            resource=resource,
            row_id=row_id,
            actor=actor,
            operation=operation,
            request_id=request_id,
            tenant=None if visibility.every else visibility.tenant,
            action=action,
            since=since,
            until=until,
            limit=limit,
        )
        return await self.access.model.storage.audit_trail().entries(query)

    # -- raw SQL

    @overload
    async def sql(self, text: LiteralString, *, into: None = None, **values: Any) -> list[dict[str, Any]]: ...
    @overload
    async def sql(self, text: LiteralString, *, into: type[T], **values: Any) -> list[T]: ...
    async def sql(self, text: str, *, into: type[Any] | None = None, **values: Any) -> Any:
        """Rows of an own statement: `await db.sql("select id from orders where total_cents > :total", total=10)`.

        Values are bound, never put into the text; a type checker refuses a text that is not written in the program.
        Outside a transaction, and in a GET operation, the database refuses statements that write.

        Args:
            into: a resource (its columns come back as in `find`), a dataclass or a Pydantic model.

        Raises:
            TypeError: a parameter has no value, or a value no parameter.
            OnlyReads: the statement writes where only reading is allowed (a `RuntimeError`).
        """
        reader = self.access.reader
        rows = await reader.sql(text, values)
        if into is None:
            return rows
        resource = self.access.model.instances.by_class.get(into)
        if resource is not None:
            return [instance_of_columns(self.access.model, reader, resource, row) for row in rows]
        return [model_of(into, row) for row in rows]

    async def execute(self, text: LiteralString, **values: Any) -> int:
        """Runs an own statement that writes, such as `update … where id = :id`; how many rows it changed."""
        async with self.access.writing() as session:
            return await session.execute(text, values)

    def key(self, id: str) -> Any:
        """An id (`usr_…`) as its column holds it, for raw SQL. Raises `ValueError` for text that is no id."""
        for resource in self.access.model.plan.resources:
            digits = decode(resource.prefix, id)
            if digits is not None:
                return self.access.reader.key(resource.name, digits)
        raise ValueError(f"The text is no id of the contract {self.access.model.plan.name!r}")

"""How the data client gets to the database: in a given reader or transaction, or by transactions of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, Protocol, cast

from sternpost.data.backoff import Backoff
from sternpost.data.model import DataModel
from sternpost.deadline import Deadline
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import NO_TENANT, Origin, Reader, Session, Statistics, TransactionOptions, Visibility

BACKOFF = Backoff()

READS_ONLY = 'This operation only reads. Declare it with method="POST" to write.'

COMPUTES_ONLY = "A function that computes a field only reads. Write in the operation's own function."

_open: ContextVar[Mapping[DataAccess, Session]] = ContextVar("sternpost_transactions", default=MappingProxyType({}))
"""The transactions that are open where the code runs, by the access that opened them."""


class DataAccess:
    """How one holder of the data client gets to the database: in a given reader or session, or by own transactions.

    Args:
        reader: an operation's; None for scripts, which open what they need.
        visibility: for scripts, which rows of tenants there are.
        origin: for scripts, whom the audit trail names.
        backoff: how it waits between two tries of a transaction.
        principal, log: of the call that it works for, for functions that compute fields of what it reads.
        reads_only: whether it only reads, also where the reader could write.
    """

    def __init__(
        self,
        model: DataModel,
        reader: Reader | None = None,
        *,
        visibility: Visibility = NO_TENANT,
        origin: Origin | None = None,
        statistics: Statistics | None = None,
        backoff: Backoff = BACKOFF,
        principal: Principal | None = None,
        log: Any = None,
        reads_only: bool = False,
    ) -> None:
        self.model = model
        self.principal = principal
        self.log = log
        self._reads_only = reads_only
        self.statistics = reader.statistics if reader is not None else statistics or Statistics()
        self.backoff = backoff
        self.visibility = visibility if reader is None else reader.visibility
        self.origin = origin if model.plan.audited else None
        self._reader = reader

    @property
    def in_operation(self) -> bool:
        """Whether it works for a call, in the call's own reader or transaction."""
        return self._reader is not None

    @property
    def session(self) -> Session | None:
        """The transaction that is open here, or None."""
        current = _open.get().get(self)
        if current is not None or self._reader is None or self._reads_only:
            return current
        return cast("Session", self._reader) if self._reader.writes else None

    @property
    def reader(self) -> Reader:
        """What to read with."""
        return self.session or self._reader or self.model.storage.reader(self.statistics, visibility=self.visibility)

    @asynccontextmanager
    async def writing(self, *, whole: bool = False) -> AsyncGenerator[Session]:
        """The transaction to write in. With `whole` it is a part of its own, which is undone alone when the block
        raises.

        Raises:
            RuntimeError: the operation only reads.
        """
        session = self.session
        if session is None:
            async with self.begin(None) as begun:
                yield begun
        elif whole:
            async with session.savepoint():
                yield session
        else:
            yield session

    @asynccontextmanager
    async def begin(
        self, options: TransactionOptions | None, deadline: Deadline | None = None
    ) -> AsyncGenerator[Session]:
        """A transaction of its own; until it ends, everything here works in it. `deadline`: that of the block around
        it."""
        if self._reads_only:
            raise RuntimeError(COMPUTES_ONLY)
        if self._reader is not None:
            raise RuntimeError(READS_ONLY)
        async with self.model.storage.transaction(
            self.statistics, options, visibility=self.visibility, deadline=deadline
        ) as session:
            if self.origin is not None:
                await session.attribute(self.origin)
            outside = _open.get()
            _open.set({**outside, self: session})
            try:
                yield session
            finally:
                _open.set(outside)


class HasAccess(Protocol):
    """A `Context`, or another `Database`."""

    @property
    def access(self) -> DataAccess: ...

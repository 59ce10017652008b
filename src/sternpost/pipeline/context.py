"""The context of a service function: the caller, the data, the time and a logger. Each call gets its own."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from sternpost.errors import Unauthenticated
from sternpost.pipeline.data.client import Access, Database
from sternpost.pipeline.repository import Repository
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Reader

if TYPE_CHECKING:
    from sternpost.pipeline.runtime import Runtime

T = TypeVar("T")


class Context:
    """The call that a service function is executed for.

    Attributes:
        principal: the caller, or None if the request has no credentials.
        log: a logger that carries the request's ids.
        previous_state: in a transition, the state of the row before it.
    """

    def __init__(
        self, runtime: Runtime, principal: Principal | None, reader: Reader, log: Any, previous_state: str | None = None
    ) -> None:
        self._runtime = runtime
        self._reader = reader
        self.principal = principal
        self.log = log
        self.previous_state = previous_state

    @property
    def caller(self) -> Principal:
        """The caller. Raises `Unauthenticated` if the request has no credentials."""
        if self.principal is None:
            raise Unauthenticated
        return self.principal

    def now(self) -> datetime:
        """The current time, in UTC."""
        return self._runtime.clock.now()

    @cached_property
    def access(self) -> Access:
        """How the data client works here: `Data(ctx)` takes it."""
        return Access(self._runtime, self._reader)

    @property
    def data(self) -> Database:
        """The contract's rows, in this call's transaction; a GET operation only reads. With types: `Data(ctx)`."""
        return Database(self.access)

    def repository(self, cls: type[T]) -> Repository[T]:
        """The rows of a resource, in this call's transaction."""
        return Repository(cls, self._runtime, self._reader)

"""The context of a service function: the caller, the data, the time and a logger. Each call gets its own."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from sternpost.data.access import DataAccess
from sternpost.data.database import Database
from sternpost.data.model import DataModel
from sternpost.data.table import Repository
from sternpost.errors import Unauthenticated
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Reader

T = TypeVar("T")


class Context:
    """The call that a service function is executed for.

    Attributes:
        principal: the caller, or None if the request has no credentials.
        log: a logger that carries the request's ids.
        previous_state: in a transition, the state of the row before it.
    """

    def __init__(
        self, model: DataModel, principal: Principal | None, reader: Reader, log: Any, previous_state: str | None = None
    ) -> None:
        self._model = model
        self._reader = reader
        self._access: DataAccess | None = None
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
        return self._model.clock.now()

    @property
    def access(self) -> DataAccess:
        """How the data client works here: `Data(ctx)` takes it."""
        if self._access is None:  # not a cached_property: to type checkers that is no value of the protocol `HasAccess`
            self._access = DataAccess(self._model, self._reader)
        return self._access

    @property
    def data(self) -> Database:
        """The contract's rows, in this call's transaction; a GET operation only reads. With types: `Data(ctx)`."""
        return Database(self.access)

    def repository(self, cls: type[T]) -> Repository[T]:
        """The rows of a resource, in this call's transaction: the same as `ctx.data.table(cls)`."""
        return self.data.table(cls)

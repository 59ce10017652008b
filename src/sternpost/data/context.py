"""What an author's function gets: who calls, the data, the time, a logger. One per call; nothing in it outlives the call."""

from __future__ import annotations

from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from sternpost.data.database import DataAccess, Database
from sternpost.data.table import Repository
from sternpost.errors import Unauthenticated
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Reader

if TYPE_CHECKING:
    from sternpost.data.model import DataModel

T = TypeVar("T")


class Context:
    """The call that a service works in.

    Attributes:
        principal: who calls, or None on an operation open to everyone.
        log: a logger that carries the request's ids.
        previous_state: in a transition, the state that the row was in.
    """

    def __init__(
        self, model: DataModel, principal: Principal | None, reader: Reader, log: Any, previous_state: str | None = None
    ) -> None:
        self._model = model
        self._reader = reader
        self.principal = principal
        self.log = log
        self.previous_state = previous_state

    @property
    def caller(self) -> Principal:
        """Who calls. Raises `Unauthenticated` where nobody is known."""
        if self.principal is None:
            raise Unauthenticated
        return self.principal

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return self._model.clock.now()

    @cached_property
    def access(self) -> DataAccess:
        """How the data client works here: `Data(ctx)` takes it."""
        return DataAccess(self._model, self._reader)

    @property
    def data(self) -> Database:
        """The contract's rows, in this call's transaction; a GET operation only reads. With types: `Data(ctx)`."""
        return Database(self.access)

    def repository(self, cls: type[T]) -> Repository[T]:
        """The rows of a resource, in this call's transaction: the same as `ctx.data.table(cls)`."""
        return self.data.table(cls)

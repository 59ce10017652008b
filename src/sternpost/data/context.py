"""The context of a service function: the caller, the data, the time and a logger. Each call gets its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from sternpost.data.access import DataAccess
from sternpost.data.database import Database
from sternpost.data.model import DataModel
from sternpost.data.own_headers import OwnHeaders
from sternpost.data.table import Repository
from sternpost.errors import Unauthenticated
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Reader
from sternpost.web import Exchange, Request, Response

T = TypeVar("T")
P = ParamSpec("P")

Later = Callable[[Callable[[], Any]], None]
"""Takes what is to be done after the commit."""


class Context:
    """The call that a service function is executed for.

    Attributes:
        principal: the caller, or None if the request has no credentials.
        log: a logger that carries the request's ids.
        previous_state: in a transition, the state of the row before it.
        headers: of the answer; those that the operation declares can be set: `ctx.headers["Retry-After"] = "5"`.
    """

    def __init__(
        self,
        model: DataModel,
        principal: Principal | None,
        reader: Reader,
        log: Any,
        previous_state: str | None = None,
        later: Later | None = None,
        headers: OwnHeaders | None = None,
        *,
        reads_only: bool = False,
    ) -> None:
        self._reads_only = reads_only
        self._model = model
        self._reader = reader
        self._access: DataAccess | None = None
        self._later = later
        self.headers = headers if headers is not None else OwnHeaders(())
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
            self._access = DataAccess(
                self._model, self._reader, principal=self.principal, log=self.log, reads_only=self._reads_only
            )
        return self._access

    @property
    def data(self) -> Database:
        """The contract's rows, in this call's transaction; a GET operation only reads. With types: `Data(ctx)`."""
        return Database(self.access)

    def repository(self, cls: type[T]) -> Repository[T]:
        """The rows of a resource, in this call's transaction: the same as `ctx.data.table(cls)`."""
        return self.data.table(cls)

    def after_commit(self, function: Callable[P, Any], *arguments: P.args, **options: P.kwargs) -> None:
        """Has a function, async or not, run once the change is committed, before the client is answered:
        `ctx.after_commit(mailer.send, address)`. It never runs where the change is rolled back, and where the operation
        runs again, only what its last run has asked for does. An error in it is logged. It is lost in a crash, and
        given up after ten seconds.

        Raises:
            RuntimeError: the operation only reads, so that nothing is committed.
        """
        if self._later is None or not self._reader.writes:
            raise RuntimeError('This operation only reads, and commits nothing. Declare it with method="POST".')
        self._later(partial(function, *arguments, **options))

    if not TYPE_CHECKING:  # to type checkers these are no members at all

        def __getattr__(self, name: str) -> Any:
            if name in ("request", "response"):
                raise AttributeError(f"ctx.{name} is there where the parameter is declared as ctx: HttpContext")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class HttpContext(Context):
    """The context of an operation that is served over HTTP alone: `async def function(ctx: HttpContext, …)`."""

    def __init__(
        self,
        model: DataModel,
        principal: Principal | None,
        reader: Reader,
        log: Any,
        previous_state: str | None = None,
        later: Later | None = None,
        headers: OwnHeaders | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        super().__init__(model, principal, reader, log, previous_state, later, headers)
        self._exchange = exchange

    @property
    def request(self) -> Request:
        """The request: method, headers, query, cookies, address. Raises `RuntimeError` where there is none."""
        return self._over_http.request

    @property
    def response(self) -> Response:
        """Headers and cookies to add to the answer. Raises `RuntimeError` where there is no request."""
        return self._over_http.response

    @property
    def _over_http(self) -> Exchange:
        if self._exchange is None:
            raise RuntimeError("This call did not come over HTTP, so there is no request and no response")
        return self._exchange

"""The author's own ASGI middleware around the application: outside the pipeline, and for HTTP alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from sternpost.clock import Clock
from sternpost.errors import StartupError
from sternpost.protocols.http.errors import encode_error
from sternpost.protocols.http.headers import read_headers
from sternpost.protocols.http.messages import ABORT, ANSWER, PARSED, SECURE, Receive, Scope, Send, send_response
from sternpost.protocols.http.observed import observe
from sternpost.telemetry.telemetry import Telemetry

App = Callable[[Scope, Receive, Send], Awaitable[None]]


def wrapped(middleware: Sequence[Callable[[App], App]], app: App, telemetry: Telemetry, clock: Clock) -> App:
    """The application within its middleware, the first outermost. Raises `StartupError` where one cannot be made."""
    inner = app
    for each in reversed(middleware):
        try:
            inner = each(inner)
        except Exception as error:
            name = getattr(getattr(each, "func", each), "__name__", type(each).__name__)
            raise StartupError(f"The middleware {name} could not be made: {type(error).__name__}: {error}") from error

    async def entry(scope: Scope, receive: Receive, send: Send) -> None:
        """What is raised within is logged, and answered as long as that is possible."""
        # The server's short ways are for its own channels, which middleware may wrap.
        below = {name: value for name, value in scope.items() if name not in (ANSWER, ABORT, PARSED)}
        below["headers"] = list(scope["headers"])  # which middleware may change
        started = False

        async def sending(message: Any) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await inner(below, receive, sending)
        except Exception as error:
            headers = read_headers(scope)
            observation = observe(telemetry, clock, scope, headers)
            telemetry.failed(observation, error)
            if started:
                raise  # the server cuts the connection off
            observation.status, more, body = encode_error(None, observation, headers)
            more.append((b"x-request-id", observation.request_id.encode()))
            await send_response(below, send, observation.status, more, body, SECURE)
            telemetry.finished(observation)

    return entry

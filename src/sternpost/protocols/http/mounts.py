"""Other ASGI applications below a prefix. They run outside the pipeline: no policy, no limit, only log lines."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable
from typing import Any

from sternpost.errors import Forbidden, MethodNotAllowed, NotFound, StartupError, Unauthenticated
from sternpost.protocols.http.errors import log_and_encode
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import ABORT, PARSED, SECURE, Receive, Scope, Send, send_response
from sternpost.protocols.http.observed import HttpObservation, watching
from sternpost.protocols.http.prefix import with_prefix

Asgi = Callable[[Scope, Receive, Send], Any]

STOP_SECONDS = 10.0
"""How long a mounted application may take to answer that it has stopped."""

END_SECONDS = 5.0
"""How long an application may take to return once it has said that its shutdown is complete."""


INTERNAL_ERROR = 1011
"""What a connection of WebSockets ends with after a bug (RFC 6455, 7.4.1)."""

REQUEST_ID = "request_id"
"""Where the state of a request has its id: `request.state.request_id` in Starlette and FastAPI."""

OBSERVED = "sternpost.observed"
"""Where a scope holds the observation of the request, and its headers."""


def error_answer(scope: Scope, error: Exception) -> tuple[int, dict[str, str], bytes]:
    """Logs an error of a mounted application, and gives what the service answers it with.

    Raises:
        ValueError: the scope is none of a mounted application.
    """
    if OBSERVED not in scope:
        raise ValueError("This is not the scope of a request to a mounted application")
    observation, headers = scope[OBSERVED]
    status, more, body = log_and_encode(error, observation, headers)
    pairs = [*SECURE.pairs, *more, (b"x-request-id", observation.request_id.encode())]
    return status, {name.decode(): value.decode("latin-1") for name, value in pairs}, body


def _as_ours(error: Exception) -> Exception:
    """The error of ours that means the same as one of Starlette, whose parts raise it where no application of Starlette
    is around them: `StaticFiles` for a file that does not exist."""
    module = sys.modules.get("starlette.exceptions")  # whoever raises it has imported it
    if module is None or not isinstance(error, module.HTTPException):
        return error
    raised: Any = error
    match raised.status_code:
        case 401:
            return Unauthenticated()
        case 403:
            return Forbidden()
        case 404:
            return NotFound()
        case 405:
            headers: dict[str, str] = raised.headers or {}
            return MethodNotAllowed(headers.get("Allow", "GET, HEAD").split(", "))
        case _:
            return error


def place_of(prefix: str) -> str:
    """The name that what is mounted at a prefix is observed by. No operation has one with a colon."""
    return f"mount:{prefix}"


class Mount:
    """An application, which is told its prefix as its root path, and when the service starts and stops.

    Args:
        prefix: as in `Sternpost(mounts=…)`.
    """

    def __init__(self, prefix: str, app: Asgi) -> None:
        self.prefix = prefix
        self.place = place_of(prefix)
        self._app = app
        self._root = prefix.rstrip("/")
        self._state: dict[str, Any] = {}
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._answer: asyncio.Future[Any] | None = None
        self._task: asyncio.Task[Any] | None = None

    # -- requests

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
    ) -> None:
        """Hands a request on. What the application raises is logged, and answered as long as that is possible."""
        observation.place = self.place
        below = {**with_prefix(scope), "root_path": scope.get("root_path", "") + self._root}
        below["state"] = {**self._state, REQUEST_ID: observation.request_id}
        below[OBSERVED] = (observation, headers)
        below["headers"] = list(scope["headers"])  # which the application may change
        below.pop(PARSED, None)
        complete = False

        async def sending(message: Any) -> None:
            nonlocal complete
            await send(message)
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self._app(below, receive, watching(below, sending, observation))
        except Exception as error:
            if not observation.status:
                observation.status, more, body = log_and_encode(_as_ours(error), observation, headers)
                more.append((b"x-request-id", observation.request_id.encode()))
                await send_response(scope, send, observation.status, more, body, SECURE)
                return
            observation.sink.failed(observation, error)
            observation.error_code = "INTERNAL_ERROR"
            if complete:
                return  # frameworks answer with their own error, and raise it again for a server to log
            if scope.get(ABORT) is None:
                raise  # another server cuts the connection off when the application fails
            scope[ABORT](receive)

    async def connect(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
    ) -> None:
        """Hands a connection of WebSockets on. What the application raises is logged, and ends the connection."""
        below = {**with_prefix(scope), "root_path": scope.get("root_path", "") + self._root}
        below["state"] = {**self._state, REQUEST_ID: observation.request_id}
        below["headers"] = list(scope["headers"])
        answered = False

        async def sending(message: Any) -> None:
            nonlocal answered
            await send(message)
            answered = True

        try:
            await self._app(below, receive, sending)
        except Exception as error:  # noqa: BLE001  (it is logged with its stack)
            status, more, body = log_and_encode(error, observation, headers)
            with contextlib.suppress(Exception):  # the client may have gone, or the application has closed it before
                if answered or "websocket.http.response" not in scope.get("extensions", {}):
                    await send({"type": "websocket.close", "code": INTERNAL_ERROR})
                    return
                more += [*SECURE.pairs, (b"x-request-id", observation.request_id.encode())]
                await send({"type": "websocket.http.response.start", "status": status, "headers": more})
                await send({"type": "websocket.http.response.body", "body": body})

    # -- start and stop (the lifespan of the ASGI specification)

    async def start(self) -> str | None:
        """Starts the application; why it takes no such events, where that is so.

        Raises:
            StartupError: it said that its start failed.
        """
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
        task = self._task = asyncio.create_task(self._live(scope))
        answer = await self._tell("lifespan.startup")
        if answer.get("type") == "lifespan.startup.complete":
            return None
        reason = await self._end(END_SECONDS if answer.get("type") == "lifespan.startup.failed" else 0)
        if answer.get("type") == "lifespan.startup.failed":
            error = None if task.cancelled() else task.exception()
            said = reason if error is not None else answer.get("message") or reason  # Starlette sends its whole stack
            raise StartupError(f"The application mounted at {self.prefix} failed to start: {said}") from error
        return reason

    async def stop(self) -> str | None:
        """Stops the application; what went wrong meanwhile, if anything."""
        if self._task is None:
            return None
        answer = await self._tell("lifespan.shutdown", STOP_SECONDS)
        task, reason = self._task, await self._end(END_SECONDS)
        failed = not task.done() or task.cancelled() or task.exception() is not None
        if answer.get("type") == "lifespan.shutdown.complete" and not failed:
            return None
        return answer.get("message") or reason

    async def _live(self, scope: Scope) -> None:
        await self._app(scope, self._inbox.get, self._send)

    async def _tell(self, event: str, seconds: float | None = None) -> dict[str, Any]:
        """Sends an event; the answer, which is empty where the application ended without one, or did not answer in
        time."""
        assert self._task is not None, "it was started"
        self._answer = asyncio.get_running_loop().create_future()
        self._inbox.put_nowait({"type": event})
        await asyncio.wait((self._task, self._answer), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return self._answer.result() if self._answer.done() else {}

    async def _send(self, message: Any) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(message)

    async def _end(self, seconds: float) -> str:
        """Waits until the application returns, or cancels it then; how it ended."""
        task, self._task = self._task, None
        assert task is not None, "it was started"
        await asyncio.wait((task,), timeout=seconds)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=seconds or END_SECONDS)
        if not task.done() or task.cancelled():
            return "it did not return"
        error = task.exception()
        return "it returned at once" if error is None else f"it raised {type(error).__name__}: {error}"

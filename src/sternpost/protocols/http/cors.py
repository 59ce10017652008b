"""Requests of pages from other origins (CORS), before everything else: a preflight carries no credentials."""

from __future__ import annotations

from collections.abc import Awaitable, MutableMapping, Sequence
from functools import partial
from typing import Any

from starlette.middleware.cors import CORSMiddleware

from sternpost.protocols.http.addresses import Served
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import ANSWER, FixedHeaders, Header, Receive, Scope, Send
from sternpost.protocols.http.observed import HttpObservation, watching

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ALLOWED = ("authorization", "content-type", "traceparent", "idempotency-key", "if-match", "if-none-match")
EXPOSED = (
    *("etag", "link", "location", "x-request-id", "retry-after", "deprecation", "sunset"),
    *("ratelimit", "ratelimit-policy"),
    "idempotent-replayed",
)
MAX_AGE_SECONDS = 600

TOGETHER_MAX = 100
"""Headers of answers that are remembered together with those of an origin: an author's function may make any."""

_OBSERVED = "sternpost.observed"
"""Where what is behind the middleware finds the headers and the observation of its request."""


def with_cors(served: Served, origins: Sequence[str]) -> Served:
    """The same for pages of these origins, too. Starlette's middleware answers the questions that browsers ask before
    (preflights); what it would add to other answers is made once for each origin (Fetch, 3.2), so that it costs no more
    than other headers."""

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        await served(scope, receive, send, *scope[_OBSERVED])

    middleware = CORSMiddleware(
        behind,
        allow_origins=origins,
        allow_methods=METHODS,
        allow_headers=ALLOWED,
        expose_headers=EXPOSED,
        max_age=MAX_AGE_SECONDS,
    )
    everyone = b"*" if "*" in origins else None
    added = {origin.encode(): _added(origin.encode()) for origin in origins}
    refused = _Added([_EXPOSED])
    anyone = _added(b"*") if everyone else None

    def guarded(
        scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
    ) -> Awaitable[None]:
        origin = headers.origin
        if origin is None:
            return served(scope, receive, send, headers, observation)
        if scope["method"] == "OPTIONS":
            observed = {**scope, _OBSERVED: (headers, observation)}
            # a preflight is answered by the middleware: its status has to be watched
            return middleware(observed, receive, watching(observed, send, observation))
        more = anyone or added.get(origin, refused)
        answer = scope.get(ANSWER)
        if answer is not None:
            scope[ANSWER] = partial(_answer, answer, more)
        return served(scope, receive, partial(_send, send, more), headers, observation)

    return guarded


_EXPOSED = (b"access-control-expose-headers", ", ".join(EXPOSED).encode())


class _Added:
    """Headers for the pages of one origin, and those of answers together with them, made once."""

    __slots__ = ("_together", "headers")

    def __init__(self, headers: list[Header]) -> None:
        self.headers = headers
        self._together: dict[FixedHeaders, FixedHeaders] = {}

    def to(self, fixed: FixedHeaders) -> FixedHeaders:
        """These behind others."""
        found = self._together.get(fixed)
        if found is None:
            if len(self._together) >= TOGETHER_MAX:
                self._together.clear()
            found = self._together[fixed] = FixedHeaders(*fixed.pairs, *self.headers)
        return found


def _added(origin: bytes) -> _Added:
    allowed = (b"access-control-allow-origin", origin)
    return _Added([allowed, _EXPOSED] if origin == b"*" else [allowed, _EXPOSED, (b"vary", b"Origin")])


def _answer(
    answer: Any, more: _Added, send: Any, status: int, headers: list[Header], fixed: FixedHeaders, body: bytes
) -> bool:
    """A whole answer, with these headers."""
    return answer(send.args[0], status, headers, more.to(fixed), body)


async def _send(send: Send, more: _Added, message: MutableMapping[str, Any]) -> None:
    """A message, with these headers."""
    if message["type"] == "http.response.start":
        message["headers"] = [*message["headers"], *more.headers]
    await send(message)

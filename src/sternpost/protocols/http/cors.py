"""Requests of pages from other origins (CORS), before everything else: a preflight carries no credentials."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware

from sternpost.protocols.http.addresses import Served
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import Receive, Scope, Send
from sternpost.protocols.http.observed import watching
from sternpost.telemetry.observation import Observation

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ALLOWED = ("authorization", "content-type", "traceparent", "idempotency-key", "if-match", "if-none-match")
EXPOSED = ("etag", "link", "location", "x-request-id", "retry-after", "deprecation", "sunset")
MAX_AGE_SECONDS = 600

_OBSERVED = "sternpost.observed"
"""Where what is behind the middleware finds the headers and the observation of its request."""


def with_cors(served: Served, origins: Sequence[str]) -> Served:
    """The same for pages of these origins, too."""

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

    async def guarded(
        scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
    ) -> None:
        observed = {**scope, _OBSERVED: (headers, observation)}
        # a preflight is answered by the middleware: its status has to be watched
        await middleware(observed, receive, watching(observed, send, observation))

    return guarded

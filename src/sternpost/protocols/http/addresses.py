"""Which address belongs to whom: protocols by their prefix, pages by their whole address, mounted applications."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from sternpost.errors import Detail, HeadersTooLarge, Invalid, MethodNotAllowed, NotFound
from sternpost.protocols.http.errors import refuse
from sternpost.protocols.http.headers import HEADERS_MAX, RequestHeaders
from sternpost.protocols.http.messages import Receive, Scope, Send
from sternpost.telemetry.observation import Observation

Served = Callable[[Scope, Receive, Send, RequestHeaders, Observation], Awaitable[None]]
"""What answers requests: it answers each, whatever happens, and notes the status in the observation."""


class Addresses:
    """The table of everything that is served.

    Args:
        pages: by their whole address; they come first.
        prefixes: with what is served below each, in the order in which they are tried. One that ends in a slash is only
            for what is below it; another is an address, too.
    """

    def __init__(self, pages: Mapping[str, Served], prefixes: Sequence[tuple[str, Served]]) -> None:
        self._pages = dict(pages)
        self._prefixes = [(prefix, prefix.rstrip("/") + "/", served) for prefix, served in prefixes]

    def find(self, path: str) -> Served:
        """What answers at an address: 404, where nobody else does."""
        found = self._pages.get(path)
        if found is not None:
            return found
        for whole, prefix, served in self._prefixes:
            if path.startswith(prefix) or path == whole:
                return served
        return nothing_here

    def serves(self, path: str) -> bool:
        """Whether anybody answers at an address."""
        return self.find(path) is not nothing_here

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
    ) -> None:
        await self.find(scope["path"])(scope, receive, send, headers, observation)


def only_read(served: Served) -> Served:
    """The same for GET and HEAD; 405 for every other method."""

    async def guarded(
        scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
    ) -> None:
        if scope["method"] in ("GET", "HEAD"):
            await served(scope, receive, send, headers, observation)
        else:
            await refuse(MethodNotAllowed(("GET", "HEAD")), scope, send, headers, observation)

    return guarded


def refusal(scope: Scope, headers: RequestHeaders) -> Served | None:
    """What answers a request whose headers are not as they must be; None where they are: at most `HEADERS_MAX`, and
    exactly one of them Host, as HTTP/1.1 requires (RFC 9112, 3.2). HTTP/1.0 does without."""
    if len(scope["headers"]) > HEADERS_MAX:
        return too_many_headers
    if headers.hosts != 1 and (headers.hosts or scope.get("http_version") != "1.0"):
        return without_host
    return None


async def without_host(
    scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
) -> None:
    """Refuses a request that does not name one host."""
    problem = Detail("Host", "invalid_header", "A request needs exactly one Host header")
    await refuse(Invalid("Invalid headers", details=[problem]), scope, send, headers, observation)


async def too_many_headers(
    scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
) -> None:
    """Refuses a request with more than `HEADERS_MAX` headers."""
    await refuse(HeadersTooLarge(f"The request has more than {HEADERS_MAX} headers"), scope, send, headers, observation)


async def nothing_here(
    scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
) -> None:
    """Answers that there is nothing."""
    await refuse(NotFound("There is no resource or operation at this address"), scope, send, headers, observation)

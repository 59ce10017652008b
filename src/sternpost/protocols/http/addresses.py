"""Which address belongs to whom: protocols by their prefix, pages by their whole address, mounted applications."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from sternpost.errors import Detail, HeadersTooLarge, Invalid, MethodNotAllowed, NotFound, SternpostError, UrlTooLong
from sternpost.protocols.http.edge import Edge
from sternpost.protocols.http.errors import refuse
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import Receive, Scope, Send
from sternpost.protocols.http.observed import HttpObservation

Served = Callable[[Scope, Receive, Send, RequestHeaders, HttpObservation], Awaitable[None]]
"""What answers requests: it answers each, whatever happens, and notes the status in the observation."""


@runtime_checkable
class Routed(Protocol):
    """What answers below a prefix, and knows its addresses."""

    def route(self, path: str) -> str | None:
        """The address that a path stands for; None where there is none."""
        ...


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
        self._routed = [(*each, each[-1].route if isinstance(each[-1], Routed) else None) for each in self._prefixes]

    def find(self, path: str) -> Served:
        """What answers at an address: 404, where nobody else does."""
        found = self._pages.get(path)
        if found is not None:
            return found
        for whole, prefix, served in self._prefixes:
            if path.startswith(prefix) or path == whole:
                return served
        return nothing_here

    def route(self, path: str) -> str | None:
        """The address that a path stands for, such as `/api/v1/users/{id}`: one of few, whatever clients ask for. None
        for one that is none of ours."""
        if path in self._pages:
            return path
        for whole, prefix, _, route in self._routed:
            if path.startswith(prefix) or path == whole:
                return f"{whole.rstrip('/')}/*" if route is None else route(path)
        return None

    def serves(self, path: str) -> bool:
        """Whether anybody answers at an address."""
        return self.find(path) is not nothing_here

    def __call__(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
    ) -> Awaitable[None]:
        return self.find(scope["path"])(scope, receive, send, headers, observation)


def only_read(served: Served, place: str) -> Served:
    """The same for GET and HEAD; 405 for every other method.

    Args:
        place: the name that it is observed by.
    """

    async def guarded(
        scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
    ) -> None:
        observation.place = place
        if scope["method"] in ("GET", "HEAD"):
            await served(scope, receive, send, headers, observation)
        else:
            await refuse(MethodNotAllowed(("GET", "HEAD")), scope, send, headers, observation)

    return guarded


def refusal(scope: Scope, headers: RequestHeaders, edge: Edge) -> Served | None:
    """What answers a request whose head is not as it must be; None where it is: within the limits, and with exactly one
    Host, as HTTP/1.1 requires (RFC 9112, 3.2). HTTP/1.0 does without."""
    if len(scope["headers"]) > edge.headers_max:
        return partial(_refuse, HeadersTooLarge(f"The request has more than {edge.headers_max} headers"))
    if len(scope.get("raw_path") or scope["path"]) + len(scope.get("query_string", b"")) > edge.url_bytes_max:
        return partial(_refuse, UrlTooLong(f"Path and query have at most {edge.url_bytes_max} bytes together"))
    if headers.hosts != 1 and (headers.hosts or scope.get("http_version") != "1.0"):
        problem = Detail("Host", "invalid_header", "A request needs exactly one Host header, which names a host")
        return partial(_refuse, Invalid("Invalid headers", details=[problem]))
    return None


async def _refuse(
    error: SternpostError,
    scope: Scope,
    receive: Receive,
    send: Send,
    headers: RequestHeaders,
    observation: HttpObservation,
) -> None:
    await refuse(error, scope, send, headers, observation)


async def nothing_here(
    scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
) -> None:
    """Answers that there is nothing."""
    await refuse(NotFound("There is no resource or operation at this address"), scope, send, headers, observation)

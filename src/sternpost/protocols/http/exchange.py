"""The request as an author's code sees it, made of an ASGI scope; and what an answer gets of what that code added."""

from __future__ import annotations

from sternpost.errors import Detail, Invalid
from sternpost.protocols.http.messages import FixedHeaders, Header, Scope
from sternpost.protocols.http.prefix import prefix_of
from sternpost.web import QUERY_PARAMETERS_MAX, Exchange, Request, headers_of


def exchange_of(scope: Scope) -> Exchange:
    """The request, and an empty response."""
    client = scope.get("client")
    return Exchange(
        Request(
            scope["method"],
            scope["path"],
            headers_of(scope["headers"]),
            scope["query_string"].decode("latin-1"),
            client[0] if client else None,
            prefix_of(scope),
            scope.get("scheme", "http"),
        )
    )


def check_query(scope: Scope) -> None:
    """Raises `Invalid` for a query of more parameters than an operation may read itself."""
    if scope["query_string"].count(b"&") >= QUERY_PARAMETERS_MAX:
        message = f"A query has at most {QUERY_PARAMETERS_MAX} parameters"
        raise Invalid("Invalid parameters", details=[Detail("", "too_long", message)])


def added(exchange: Exchange, headers: list[Header], fixed: FixedHeaders) -> tuple[list[Header], FixedHeaders]:
    """The headers of an answer with those that were added; one that is fixed gives way to one that was added."""
    more = exchange.response.pairs()
    if not more:
        return headers, fixed
    names = {name for name, _ in more}
    kept = tuple(pair for pair in fixed.pairs if pair[0] not in names)
    return [*headers, *more], fixed if len(kept) == len(fixed.pairs) else FixedHeaders(*kept)

"""A service that tells what it sees of its callers: in an operation, in middleware and in a mounted application."""

from __future__ import annotations

import json
from typing import Any

from sternpost import Contract, Custom, HttpContext, Payload, Resource, Sternpost, implements, public


class Seen(Payload):
    address: str
    scheme: str
    host: str
    by_middleware: str


class Look(Resource, prefix="loo"):
    """What is seen of a caller."""

    text: str

    look = Custom(method="GET", on="collection", output=Seen, allow=public)


@implements(Look.look)
async def look(ctx: HttpContext) -> Seen:
    request = ctx.request
    return Seen(
        address=request.address or "none",
        scheme=request.scheme,
        host=request.headers["host"],
        by_middleware=request.headers["x-seen"],
    )


def noting(app: Any) -> Any:
    """Middleware that says whom it has seen."""

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        seen = f"{scope['client'][0]} {scope['scheme']}".encode()
        await app({**scope, "headers": [*scope["headers"], (b"x-seen", seen)]}, receive, send)

    return noted


async def mounted(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it is told of the caller."""
    if scope["type"] != "http":
        return
    host = next(value for name, value in scope["headers"] if name == b"host")
    body = json.dumps({"address": scope["client"][0], "scheme": scope["scheme"], "host": host.decode()}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


app = Sternpost(Contract("looks", resources=[Look]), services=[look], middleware=[noting], mounts={"/mounted": mounted})

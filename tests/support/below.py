"""Applications below a prefix, as outer applications, servers and proxies put them there; uvicorn serves them in tests."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from shop.app import app
from starlette.applications import Starlette
from starlette.routing import Mount

from sternpost import Sternpost

PREFIX = "/shop/é"


class Below:
    """The application as whoever calls it under a prefix calls it.

    Args:
        style: "included" where the path holds the prefix, as the ASGI specification says; "stripped" where it does not;
            "starlette" for a `Mount`; "parameter" for one whose prefix is a parameter.
    """

    def __init__(self, app: Sternpost, style: str, prefix: str = PREFIX) -> None:
        self.app = app
        self.style = style
        self.prefix = prefix
        route = "/{first}/{second}" if style == "parameter" else prefix
        self.outer = Starlette(routes=[Mount(route, app)])

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        sent = quote(scope["raw_path"].decode(), "/%$")
        assert sent.startswith(quote(self.prefix)), sent
        scope = {**scope, "path": unquote(sent), "raw_path": sent.encode()}
        if self.style in ("starlette", "parameter"):
            await self.outer(scope, receive, send)
            return
        scope["root_path"] = self.prefix
        if self.style == "stripped":
            sent = sent.removeprefix(quote(self.prefix))
            scope.update(path=unquote(sent), raw_path=sent.encode())
        await self.app(scope, receive, send)


with_lifespan = Starlette(routes=[Mount("/shop", app)], lifespan=app.lifespan)
without_lifespan = Starlette(routes=[Mount("/shop", app)])

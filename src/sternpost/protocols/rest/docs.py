"""`/docs` (Swagger UI, vendored) and `/openapi.json`. The page loads nothing from another host, and its policy forbids
it."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson

from sternpost.plan.model import Plan
from sternpost.protocols.http.addresses import Served, only_read
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import JSON, Header, Receive, Scope, Send, send_response
from sternpost.telemetry.observation import Observation

PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {"js": b"text/javascript; charset=utf-8", "css": b"text/css; charset=utf-8"}
_ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css", "start.js")
_PREFIX = "/docs/assets/"


class Docs:
    """The documentation pages of an API.

    Args:
        plans: the versions of the API, the newest first.
        describe: makes the OpenAPI document of a plan. It is called when a document is asked for, once for each.
    """

    def __init__(self, plans: Sequence[Plan], describe: Callable[[Plan], Mapping[str, Any]]) -> None:
        newest, *older = plans
        self.describe = describe
        self.plans = {"/openapi.json": newest}
        self.pages = {"/docs": _page(newest.title, "/openapi.json", [])}
        self._documents: dict[str, bytes] = {}
        if older:
            links = [(plan.api_version, f"/docs/{plan.api_version}") for plan in plans]
            self.plans.update({f"{plan.base_path}/openapi.json": plan for plan in plans})
            self.pages["/docs"] = _page(newest.title, "/openapi.json", links)
            for plan in plans:
                self.pages[f"/docs/{plan.api_version}"] = _page(newest.title, f"{plan.base_path}/openapi.json", links)

    def addresses(self) -> dict[str, Served]:
        """What is served, by address."""
        paths = [*self.plans, *self.pages, *(_PREFIX + name for name in _ASSETS)]
        return dict.fromkeys(paths, only_read(self.serve))

    async def serve(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
    ) -> None:
        """Answers a read of one of the addresses."""
        path: str = scope["path"]
        status, more = 200, [JSON, *_headers()]
        if path in self.plans:
            body = self._document(path)
        elif path in self.pages:
            body = self.pages[path]
            policy = (b"content-security-policy", PAGE_POLICY)
            more = [(b"content-type", b"text/html; charset=utf-8"), policy, *_headers()]
        else:
            status, body, more = _asset_answer(path.removeprefix(_PREFIX), scope["headers"])
        observation.status = status
        await send_response(scope, send, status, more, body)

    def _document(self, path: str) -> bytes:
        found = self._documents.get(path)
        if found is None:
            found = self._documents[path] = orjson.dumps(self.describe(self.plans[path]))
        return found


def _asset_answer(name: str, request: Iterable[Header]) -> tuple[int, bytes, list[Header]]:
    body, etag = _asset(name)
    kept = _headers(b"public, max-age=3600")
    more = [(b"content-type", _TYPES[name.rpartition(".")[2]]), (b"etag", etag), *kept]
    has_it = any(key == b"if-none-match" and value == etag for key, value in request)
    return (304, b"", more) if has_it else (200, body, more)


def _headers(cache: bytes = b"no-cache") -> list[Header]:
    return [(b"cache-control", cache), (b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]


@lru_cache(maxsize=len(_ASSETS))
def _asset(name: str) -> tuple[bytes, bytes]:
    body = files("sternpost.protocols.rest").joinpath("swagger_ui", name).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'.encode()


def _page(title: str, description: str, versions: Sequence[tuple[str, str]]) -> bytes:
    links = " · ".join(f'<a href="{address}">{name}</a>' for name, address in versions)
    choice = f"<nav>Versions: {links}</nav>\n" if links else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)} – API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{_PREFIX}swagger-ui.css">
</head>
<body>
{choice}<div id="swagger-ui" data-url="{description}"></div>
<script src="{_PREFIX}swagger-ui-bundle.js"></script>
<script src="{_PREFIX}start.js"></script>
</body>
</html>
""".encode()

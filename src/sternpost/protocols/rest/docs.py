"""`/docs` (Swagger UI, vendored) and `/openapi.json`. The page loads nothing from another host, and its policy forbids
it."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson

from sternpost.plan.model import Plan
from sternpost.protocols.http.addresses import Served, only_read
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import JSON, Header, Receive, Scope, Send, send_response
from sternpost.protocols.http.observed import HttpObservation
from sternpost.protocols.http.prefix import prefix_of

PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    b"connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
PLACE = "docs"
"""The name that all of this is observed by."""

_TYPES = {"js": b"text/javascript; charset=utf-8", "css": b"text/css; charset=utf-8"}
_ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css", "filters.js", "filters.css", "start.js")
_ASSETS_PATH = "/docs/assets/"


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
        self.pages = {"/docs": _Page(newest.title, "/openapi.json")}
        self._documents: dict[str, Mapping[str, Any]] = {}
        self._bodies: dict[str, bytes] = {}
        """What is answered without a prefix. Prefixes can be of any number: for them it is written anew."""
        if older:
            links = tuple((plan.api_version, f"/docs/{plan.api_version}") for plan in plans)
            self.plans.update({f"{plan.base_path}/openapi.json": plan for plan in plans})
            self.pages["/docs"] = _Page(newest.title, "/openapi.json", links)
            for plan in plans:
                self.pages[f"/docs/{plan.api_version}"] = _Page(newest.title, f"{plan.base_path}/openapi.json", links)

    def addresses(self) -> dict[str, Served]:
        """What is served, by address."""
        paths = [*self.plans, *self.pages, *(_ASSETS_PATH + name for name in _ASSETS)]
        return dict.fromkeys(paths, only_read(self.serve, PLACE))

    async def serve(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: HttpObservation
    ) -> None:
        """Answers a read of one of the addresses."""
        path: str = scope["path"]
        status, more = 200, [JSON, *_headers()]
        if path in self.plans:
            body = self._body(path, prefix_of(scope))
        elif path in self.pages:
            body = self._body(path, prefix_of(scope))
            policy = (b"content-security-policy", PAGE_POLICY)
            more = [(b"content-type", b"text/html; charset=utf-8"), policy, *_headers()]
        else:
            status, body, more = _asset_answer(path.removeprefix(_ASSETS_PATH), scope["headers"])
        observation.status = status
        await send_response(scope, send, status, more, body)

    def _body(self, path: str, prefix: str) -> bytes:
        """A page or a document, whose addresses are below the prefix."""
        found = None if prefix else self._bodies.get(path)
        if found is None:
            page = self.pages.get(path)
            found = page.written(prefix) if page is not None else self._document(path, prefix)
            if not prefix:
                self._bodies[path] = found
        return found

    def _document(self, path: str, prefix: str) -> bytes:
        found = self._documents.get(path)
        if found is None:
            found = self._documents[path] = self.describe(self.plans[path])
        return orjson.dumps({**found, "servers": [{"url": prefix}]} if prefix else found)


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


@dataclass(frozen=True, slots=True)
class _Page:
    """The documentation page of a version, by the address of its OpenAPI document, and those of all versions."""

    title: str
    description: str
    versions: tuple[tuple[str, str], ...] = ()

    def written(self, prefix: str) -> bytes:
        """The page, whose addresses are below the prefix."""
        return _html(self, html.escape(prefix))


def _html(page: _Page, prefix: str) -> bytes:
    links = " · ".join(f'<a href="{prefix}{address}">{name}</a>' for name, address in page.versions)
    choice = f"<nav>Versions: {links}</nav>\n" if links else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(page.title)} – API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{prefix}{_ASSETS_PATH}swagger-ui.css">
<link rel="stylesheet" href="{prefix}{_ASSETS_PATH}filters.css">
</head>
<body>
{choice}<div id="swagger-ui" data-url="{prefix}{page.description}"></div>
<script src="{prefix}{_ASSETS_PATH}swagger-ui-bundle.js"></script>
<script src="{prefix}{_ASSETS_PATH}filters.js"></script>
<script src="{prefix}{_ASSETS_PATH}start.js"></script>
</body>
</html>
""".encode()

"""`/docs` (Swagger UI, vendored) and `/openapi.json`. The page loads nothing from another host, and its policy forbids it."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files

import orjson

from sternpost.pipeline.runtime import Runtime
from sternpost.protocols.http.addresses import Served, only_read
from sternpost.protocols.http.headers import RequestHeaders
from sternpost.protocols.http.messages import JSON, Header, Receive, Scope, Send, send_response
from sternpost.protocols.rest.openapi import openapi
from sternpost.telemetry.observation import Observation

PAGE_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {"js": b"text/javascript; charset=utf-8", "css": b"text/css; charset=utf-8"}
_ASSETS = ("swagger-ui-bundle.js", "swagger-ui.css", "start.js")
_PREFIX = "/docs/assets/"


class Docs:
    """The documentation pages of a plan, built once."""

    def __init__(self, runtime: Runtime, older: Sequence[Runtime] = ()) -> None:
        self.descriptions = {"/openapi.json": orjson.dumps(openapi(runtime))}
        for version in (runtime, *older) if older else ():
            self.descriptions[f"{version.plan.base_path}/openapi.json"] = orjson.dumps(openapi(version))
        versions = [(version.plan.api_version, f"/docs/{version.plan.api_version}") for version in (runtime, *older)]
        self.pages = {"/docs": _page(runtime.plan.title, "/openapi.json", versions if older else [])}
        for version in (runtime, *older) if older else ():
            self.pages[f"/docs/{version.plan.api_version}"] = _page(
                runtime.plan.title, f"{version.plan.base_path}/openapi.json", versions
            )

    def addresses(self) -> dict[str, Served]:
        """What is served, by address."""
        paths = [*self.descriptions, *self.pages, *(_PREFIX + name for name in _ASSETS)]
        return dict.fromkeys(paths, only_read(self.serve))

    async def serve(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
    ) -> None:
        """Answers a read of one of the addresses."""
        path: str = scope["path"]
        status, body, more = 200, self.descriptions.get(path), [JSON, *_headers()]
        if path in self.pages:
            body = self.pages[path]
            policy = (b"content-security-policy", PAGE_POLICY)
            more = [(b"content-type", b"text/html; charset=utf-8"), policy, *_headers()]
        elif body is None:
            status, body, more = _asset_answer(path.removeprefix(_PREFIX), scope["headers"])
        observation.status = status
        await send_response(scope, send, status, more, body)


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

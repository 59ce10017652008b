"""An in-process client: the whole way of a request, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from sternpost import exact_json
from sternpost.app.application import Sternpost
from sternpost.auth.jwt import make_token
from sternpost.errors import StartupError
from sternpost.protocols.http.mounts import Asgi


@dataclass(frozen=True, slots=True)
class Response:
    """An answer.

    Attributes:
        headers: by name in lower case.
        content: the body as bytes.
    """

    status: int
    headers: dict[str, str]
    content: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return exact_json.to_author(exact_json.read(self.content.decode()))

    @property
    def data(self) -> Any:
        """The `data` of the body."""
        return self.json()["data"]

    @property
    def error(self) -> Any:
        """The `error` of the body."""
        return self.json()["error"]


class Calls:
    """Requests by their method."""

    async def get(self, url: str, **options: Any) -> Response:
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Any) -> Response:
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Any) -> Response:
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Any) -> Response:
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Any) -> Response:
        return await self.request("DELETE", url, **options)

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        key: str | None = None,
    ) -> Response:
        """One request. `json` is sent as JSON, `content` as it is; `token` as a bearer token; `key` as the
        `Idempotency-Key`.

        `headers` replace those that would be sent by themselves; as pairs, one can be sent several times.
        """
        raise NotImplementedError


class Client(Calls):
    """Starts an application for the time of an `async with` block and calls it.

    ```python
    async with Client(app) as client:
        answer = await client.post("/api/v1/users", json={"name": "Ada", "email": "ada@example.com"})
        assert answer.status == 201
    ```

    Args:
        app: the application.
        create_schema: whether to create the database's schema first.
        outer: an ASGI application that mounts it; requests go there. Its own lifespan does not run.
    """

    def __init__(self, app: Sternpost, *, create_schema: bool = True, outer: Asgi | None = None) -> None:
        self.app = app
        self.outer = outer
        self.create_schema = create_schema

    async def __aenter__(self) -> Self:
        running = await self.app.start(only_open=True)
        try:
            if self.create_schema and not self.app.plan.external:
                await running.runtime.storage.create_schema()
            await running.start()
        except BaseException:
            await self.app.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.app.stop()

    def token(
        self,
        subject: str,
        *scopes: str,
        seconds: int = 3600,
        tenant: str | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> str:
        """A token that the application accepts, for the subject with these scopes and further claims, acting for this
        tenant."""
        settings = self.app.settings
        if settings.jwt_secret is None:
            raise StartupError("Tokens for tests need the setting STERNPOST_JWT_SECRET")
        now = int(self.app.clock.now().timestamp())
        return make_token(
            settings.jwt_secret.get_secret_value(),
            subject=subject,
            scopes=list(scopes),
            expires=now + seconds,
            issued=now,
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            tenant=None if tenant is None else (settings.jwt_tenant_claim, tenant),
            claims=claims or {},
        )

    def as_(self, subject: str, *scopes: str, tenant: str | None = None) -> Caller:
        """The same client for a caller: each request carries a token that is made for it, so that it never expires."""
        return Caller(self, subject, scopes, tenant)

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        key: str | None = None,
    ) -> Response:
        path, _, query = url.partition("?")
        pairs = headers.items() if isinstance(headers, Mapping) else headers or ()
        sent = [(name.lower(), value) for name, value in pairs]
        body = content if content is not None else b"" if json is None else exact_json.dumps(json)
        defaults = {"host": "test"}
        if json is not None:
            defaults["content-type"] = "application/json"
        if token is not None:
            defaults["authorization"] = f"Bearer {token}"
        if key is not None:
            escaped = key.replace("\\", "\\\\").replace('"', '\\"')
            defaults["idempotency-key"] = f'"{escaped}"'
        given = {name for name, _ in sent}
        sent = [*((name, value) for name, value in defaults.items() if name not in given), *sent]
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "client": ("127.0.0.1", 1),
            "server": ("test", 80),
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent],
        }
        messages: list[dict[str, Any]] = []

        sent_whole = False

        async def receive() -> dict[str, Any]:
            nonlocal sent_whole
            if sent_whole:
                await asyncio.Event().wait()  # it stays connected for as long as it is answered
            sent_whole = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        await (self.outer or self.app)(scope, receive, send)
        start = messages[0]
        received = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
        return Response(start["status"], received, b"".join(message.get("body", b"") for message in messages[1:]))


class Caller(Calls):
    """Who calls: requests with a token for a subject, its scopes and its tenant, made at the time of each request."""

    def __init__(self, client: Client, subject: str, scopes: Sequence[str], tenant: str | None) -> None:
        self.client = client
        self.subject = subject
        self.scopes = tuple(scopes)
        self.tenant = tenant

    @property
    def token(self) -> str:
        """A token of this caller, which is valid for an hour."""
        return self.client.token(self.subject, *self.scopes, tenant=self.tenant)

    async def request(
        self,
        method: str,
        url: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        token: str | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        key: str | None = None,
    ) -> Response:
        own = token or self.token
        return await self.client.request(method, url, json=json, content=content, token=own, headers=headers, key=key)

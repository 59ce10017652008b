"""`Sternpost`: a contract as an ASGI application."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar, cast

import orjson

from sternpost.app.drivers import make_authenticator, make_storage
from sternpost.app.sensitive import sensitive_names
from sternpost.auth.api_keys import ApiKeyAuthenticator
from sternpost.clock import Clock, SystemClock
from sternpost.compile.compiler import Compiled, compile_contract
from sternpost.compile.versions import Older
from sternpost.contract.contract import Contract
from sternpost.data.database import DataAccess, Database
from sternpost.derive.openapi.document import openapi
from sternpost.errors import MethodNotAllowed, NotFound, StartupError
from sternpost.health.readiness import HEALTHY, Readiness
from sternpost.ids import NewId, new_hex, random_hex
from sternpost.pipeline.runtime import Runtime
from sternpost.pipeline.translation import NO_CONVERSIONS
from sternpost.plan.model import Plan
from sternpost.plan.values import tenant_value
from sternpost.ports.authenticator import Authenticator
from sternpost.ports.storage import EVERY_TENANT, NO_TENANT, Origin, Storage, Visibility
from sternpost.protocols.rest.deprecation import day
from sternpost.protocols.rest.docs import Docs
from sternpost.protocols.rest.http import (
    ANSWER,
    JSON,
    SECURE,
    Receive,
    RequestHeaders,
    Scope,
    Send,
    read_headers,
    send_response,
)
from sternpost.protocols.rest.rest import Rest, encode_error
from sternpost.settings import Settings, load_settings
from sternpost.telemetry.log import Log, Write
from sternpost.telemetry.observation import Observation, trace_context

Asgi = Callable[[Scope, Receive, Send], Any]

IDS_WOULD_CHANGE = (
    "The contract hides keys of the database, and ids have to stay what they are. Set STERNPOST_SECRET_KEY to at least "
    "32 random bytes (for example the output of: openssl rand -hex 32), and keep it: with another one every id changes."
)

D = TypeVar("D", bound=Database)

_OBSERVED = "sternpost.observed"
"""Where the middleware's inner application finds the observation of its request."""


class Sternpost:
    """An ASGI application that serves a contract.

    Args:
        contract: what to serve. It is compiled here; a contract with mistakes raises `ContractError`.
        services: modules (or functions) with `@implements`.
        settings: by default read from the environment when the application starts.
        mounts: other ASGI applications by path prefix. They run outside the pipeline: no policy, no limit, only a log line.
        storage, authenticator, clock, new_id, write_log: replaced in tests; by default what the settings say.
    """

    def __init__(
        self,
        contract: Contract,
        *,
        services: Iterable[ModuleType | Callable[..., Any]] = (),
        settings: Settings | None = None,
        mounts: Mapping[str, Asgi] | None = None,
        storage: Storage | None = None,
        authenticator: Authenticator | None = None,
        clock: Clock | None = None,
        new_id: NewId = new_hex,
        write_log: Write | None = None,
    ) -> None:
        self.contract = contract
        self.compiled: Compiled = compile_contract(contract, services)
        self.mounts = dict(mounts or {})
        self.clock = clock or SystemClock()
        self.in_flight = 0
        self._settings = settings
        self._storage = storage
        self._authenticator = authenticator
        self._new_id = new_id
        self._write_log = write_log
        self._running: Running | None = None

    @property
    def plan(self) -> Plan:
        """The compiled contract."""
        return self.compiled.plan

    @property
    def settings(self) -> Settings:
        """The settings in force; reads the environment on first use. Raises `StartupError`."""
        if self._settings is None:
            self._settings = load_settings()
        return self._settings

    @property
    def started(self) -> bool:
        """Whether it is between `start` and `stop`."""
        return self._running is not None

    def use(self, settings: Settings) -> None:
        """Sets the settings, where a command has read them already."""
        self._settings = settings

    @property
    def running(self) -> Running:
        """What serves requests, between `start` and `stop`."""
        if self._running is None:
            raise RuntimeError(
                "The application is not started: run it with a server that supports ASGI's lifespan, or call start()"
            )
        return self._running

    async def start(self) -> Running:
        """Opens the database and builds everything that requests need. A database that is away is no error."""
        settings = self.settings
        if self.plan.hides_keys and not settings.keeps_secrets and settings.production:
            raise StartupError(IDS_WOULD_CHANGE)
        storage = self._storage or make_storage(settings)
        await storage.open(self.plan)
        authenticator: Authenticator = self._authenticator or make_authenticator(settings, self.clock)
        log = Log(
            settings.service or self.plan.name,
            self.clock,
            level=settings.log_level,
            sensitive=sensitive_names(self.plan, *(version.plan for version in self.compiled.older)),
            write=self._write_log,
        )
        if self.plan.api_keys:
            authenticator = ApiKeyAuthenticator(
                storage.keys(),
                self.clock,
                authenticator,
                lambda reason: log.event("warning", "The use of an API key could not be noted", reason=reason),
            )
        if self.plan.hides_keys and not settings.keeps_secrets:
            log.event("warning", "Ids change with every start", reason=IDS_WOULD_CHANGE)
        runtime = self._runtime(settings, storage, authenticator)
        self._running = Running(self, runtime, settings, log, self._older(settings, runtime, log))
        return self._running

    def _runtime(
        self, settings: Settings, storage: Storage, authenticator: Authenticator, older: Older | None = None
    ) -> Runtime:
        return Runtime(
            older.plan if older else self.plan,
            self.compiled.classes,
            self.compiled.functions,
            storage=storage,
            authenticator=authenticator,
            clock=self.clock,
            new_id=self._new_id,
            cursor_key=settings.derived_key("cursor"),
            newest=self.plan if self.compiled.older else None,
            conversions=older.conversions if older else NO_CONVERSIONS,
        )

    def _older(self, settings: Settings, newest: Runtime, log: Log) -> list[Runtime]:
        """What older versions of the API are served with; one that is over is told of."""
        older: list[Runtime] = []
        for version in self.compiled.older:
            runtime = self._runtime(settings, newest.storage, newest.authenticator, version)
            older.append(runtime)
            sunset = version.plan.sunset
            if sunset is not None and day(sunset) <= self.clock.now() and not version.plan.gone_after_sunset:
                name = version.plan.api_version
                log.event("warning", f"API {name} is served after its sunset", apiVersion=name, sunset=sunset)
        return older

    async def stop(self) -> None:
        """Closes what `start` opened."""
        running, self._running = self._running, None
        if running is not None:
            await running.runtime.authenticator.close()
            await running.runtime.storage.close()

    @asynccontextmanager
    async def data(
        self,
        cls: type[D] = Database,
        *,
        tenant: str | None = None,
        tenants: Literal["all"] | None = None,
        actor: str | None = None,
    ) -> AsyncGenerator[D]:
        """The contract's rows for a script or a test: `async with app.data(Data) as db:`. No server has to run.

        Args:
            cls: the generated class with the contract's types; by default the one without.
            tenant: whose rows there are, as in a token's claim. A contract with tenants needs this or the next.
            tenants: "all" for the rows of every tenant; a new row then has to say whose it is.
            actor: whom the audit trail names for what is changed, such as "nightly-import".

        Raises:
            TypeError: the contract has tenants, and neither is given, or both.
        """
        visibility, origin = self._visibility(tenant, tenants), Origin(actor) if actor is not None else None
        if self._running is not None:
            yield cls(DataAccess(self._running.runtime.data, visibility=visibility, origin=origin))
            return
        settings = self._settings or load_settings(dotenv=Path(".env"), serving=False)
        if self.plan.hides_keys and not settings.keeps_secrets and settings.production:
            raise StartupError(IDS_WOULD_CHANGE)
        storage = self._storage or make_storage(settings)
        await storage.open(self.plan)
        runtime = self._runtime(settings, storage, cast("Authenticator", None))  # nobody calls
        try:
            yield cls(DataAccess(runtime.data, visibility=visibility, origin=origin))
        finally:
            await storage.close()

    def _visibility(self, tenant: str | None, tenants: str | None) -> Visibility:
        if tenant is not None and tenants is not None:
            raise TypeError('data() takes tenant="…" or tenants="all", not both')
        if tenants not in (None, "all"):
            raise TypeError(f'tenants is "all", not {tenants!r}; for one write tenant="…"')
        owners = [resource for resource in self.plan.resources if resource.tenant is not None]
        if tenant is None and tenants is None and owners:
            raise TypeError(
                f'{owners[0].name} belongs to tenants: write app.data(tenant="…") for the rows of one, '
                'or app.data(tenants="all") for those of all'
            )
        if tenant is not None and all(tenant_value(self.plan, resource, tenant) is None for resource in owners):
            raise TypeError(f"{tenant!r} cannot be a tenant of this contract")
        return EVERY_TENANT if tenants else Visibility(tenant) if tenant else NO_TENANT

    def drain(self) -> None:
        """Readiness says no from now on; requests are still answered."""
        self.running.readiness.draining = self.running.closing = True

    def retire(self) -> None:
        """Another process serves from here on: answers ask to connect anew. Readiness stays: the service is there."""
        self.running.closing = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.in_flight += 1
            try:
                running = self.running
                if running.closing:
                    send = _closing(scope, send)
                await running.serve(scope, receive, send)
            finally:
                self.in_flight -= 1
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self.start()
                except Exception as error:
                    await send({"type": "lifespan.startup.failed", "message": str(error)})
                    raise
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


class Running:
    """A started application: everything that the way of a request touches."""

    def __init__(
        self, app: Sternpost, runtime: Runtime, settings: Settings, log: Log, older: Sequence[Runtime] = ()
    ) -> None:
        self.runtime = runtime
        self.settings = settings
        self.log = log
        self.closing = False
        """Whether answers end their connection."""
        self.mounts = app.mounts
        self.rest = Rest(runtime, max_body_bytes=settings.max_body_bytes)
        self.older = tuple(Rest(version, max_body_bytes=settings.max_body_bytes) for version in older)
        self.docs = Docs((runtime.plan, *(version.plan for version in older)), openapi) if settings.docs else None
        self.readiness = Readiness(
            runtime.plan.version,
            runtime.clock,
            {"database": runtime.storage.check},
            self._unhealthy,
            runtime.storage.replicas(),
        )
        self._cors: Asgi | None = None
        if settings.cors_enabled:
            from starlette.middleware.cors import CORSMiddleware

            self._cors = CORSMiddleware(
                self._dispatch_observed,
                allow_origins=settings.cors_origins,
                allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
                allow_headers=[
                    "authorization",
                    "content-type",
                    "traceparent",
                    "idempotency-key",
                    "if-match",
                    "if-none-match",
                ],
                expose_headers=["etag", "link", "location", "x-request-id", "retry-after", "deprecation", "sunset"],
                max_age=600,
            )

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request: observed from here to its end, whoever answers it."""
        headers = read_headers(scope)
        observation = self._observe(scope, headers)
        try:
            if self._cors is None:
                await self._dispatch(scope, receive, send, headers, observation)
            else:  # a preflight is answered by the middleware: its status has to be watched
                observed = {**scope, _OBSERVED: (headers, observation)}
                await self._cors(observed, receive, _watching(observed, send, observation))
        finally:
            self.log.request(observation)

    async def _dispatch_observed(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._dispatch(scope, receive, send, *scope[_OBSERVED])

    async def _dispatch(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
    ) -> None:
        """To the first that knows the address."""
        path: str = scope["path"]
        if path.startswith(self.rest.router.base) and not (self.older and self.docs and self.docs.knows(path)):
            await self.rest(scope, receive, send, headers, observation)
        elif self.older and not (self.docs and self.docs.knows(path)) and (version := self._older(path)) is not None:
            await version(scope, receive, send, headers, observation)
        elif path in ("/health", "/health/ready"):
            await self._health(scope, send, headers, observation)
        elif self.docs is not None and self.docs.knows(path):
            if scope["method"] not in ("GET", "HEAD"):
                await self._refuse(MethodNotAllowed(("GET", "HEAD")), scope, send, headers, observation)
                return
            await self.docs(scope, receive, _watching(scope, send, observation))
        else:
            await self._elsewhere(scope, receive, send, headers, observation)

    def _older(self, path: str) -> Rest | None:
        return next((version for version in self.older if path.startswith(version.router.base)), None)

    def _observe(self, scope: Scope, headers: RequestHeaders) -> Observation:
        bits = random_hex(64)
        trace_id, parent = bits[:32], None
        if headers.traceparent is not None:
            trace_id, parent = trace_context(headers.traceparent) or (trace_id, None)
        return Observation(
            log=self.log,
            request_id="req_" + bits[32:48],
            trace_id=trace_id,
            span_id=bits[48:],
            parent_span_id=parent,
            started=self.runtime.clock.monotonic(),
            method=scope["method"],
            path=scope["path"],
        )

    async def _health(self, scope: Scope, send: Send, headers: RequestHeaders, observation: Observation) -> None:
        if scope["method"] not in ("GET", "HEAD"):
            await self._refuse(MethodNotAllowed(("GET", "HEAD")), scope, send, headers, observation)
            return
        if scope["path"] == "/health":
            ready, body = True, dict[str, Any](HEALTHY)
            observation.success_message = "Liveness checked"
        else:
            ready, body = await self.readiness.report()
            observation.success_message = "Readiness checked"
        observation.status = 200 if ready else 503
        await send_response(scope, send, observation.status, [JSON], orjson.dumps(body), SECURE)

    async def _elsewhere(
        self, scope: Scope, receive: Receive, send: Send, headers: RequestHeaders, observation: Observation
    ) -> None:
        path: str = scope["path"]
        for prefix, mounted in self.mounts.items():
            if path == prefix or path.startswith(prefix.rstrip("/") + "/"):
                below = {**scope, "root_path": scope.get("root_path", "") + prefix.rstrip("/")}
                await mounted(below, receive, _watching(below, send, observation))
                return
        await self._refuse(NotFound("There is nothing at this address"), scope, send, headers, observation)

    async def _refuse(
        self,
        error: NotFound | MethodNotAllowed,
        scope: Scope,
        send: Send,
        headers: RequestHeaders,
        observation: Observation,
    ) -> None:
        self.log.error(observation, error)
        observation.status, more, body = encode_error(error, observation, headers)
        await send_response(scope, send, observation.status, more, body, SECURE)

    def _unhealthy(self, name: str, reason: str) -> None:
        self.log.event("warning", f"{name} is unhealthy", check=name, reason=reason)


def _watching(scope: Scope, send: Send, observation: Observation) -> Send:
    """Notes the status of an answer that something else writes."""
    scope[ANSWER] = None

    async def watched(message: Any) -> None:
        if message["type"] == "http.response.start":
            observation.status = message["status"]
        await send(message)

    return watched


def _closing(scope: Scope, send: Send) -> Send:
    """Tells clients of a service that is going away to open their next connection elsewhere."""
    scope[ANSWER] = None

    async def closing(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return closing

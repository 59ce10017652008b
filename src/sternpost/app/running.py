"""A started application: what serves requests, and the mounted applications that start and stop with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from sternpost.app.upkeep import Upkeep, jobs_of
from sternpost.compile.wiring import Wired
from sternpost.data.providers import AppProviders, Injected
from sternpost.derive.openapi.document import openapi
from sternpost.errors import Invalid, StartupError, Unavailable
from sternpost.health.readiness import Check, Readiness
from sternpost.pipeline.runtime import Runtime
from sternpost.protocols.http.addresses import Addresses, Served, refusal
from sternpost.protocols.http.edge import Edge
from sternpost.protocols.http.headers import read_headers
from sternpost.protocols.http.health import health_pages
from sternpost.protocols.http.messages import Receive, Scope, Send, closing
from sternpost.protocols.http.middleware import wrapped
from sternpost.protocols.http.mounts import Asgi, Mount
from sternpost.protocols.http.observed import observe
from sternpost.protocols.http.prefix import without_prefix
from sternpost.protocols.http.websockets import refuse_websocket
from sternpost.protocols.rest.docs import Docs
from sternpost.protocols.rest.rest import Rest
from sternpost.settings import Settings
from sternpost.telemetry import events
from sternpost.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from sternpost.protocols.http.proxies import TrustedProxies

STOP_SECONDS = 10.0
"""How long a function at the stop may take."""

NO_LIFESPAN = (
    "Pass lifespan=app.lifespan to the outer application, so that it is started before the first request and "
    "stopped at the end"
)
OTHER_LOOP = (
    "The application was started by a request in another event loop, and its connections belong to that loop. "
    f"{NO_LIFESPAN}; in tests, use sternpost.testing.Client, or `with TestClient(outer) as client:`"
)


def counting(runtime: Runtime) -> dict[str, Check]:
    """The check of the store that rate limits are counted in, by its name, where it may be away."""
    store = runtime.limiter.store if runtime.limiter is not None else None
    return {store.dependency: store.check} if store is not None and store.dependency is not None else {}


def being_stopped() -> Unavailable:
    """What a request is answered with that the end of the process leaves no time for."""
    return Unavailable("The service is being stopped, and nothing of this request was kept")


class Running:
    """A started application: everything that is needed to process requests.

    Attributes:
        entry: where requests come in: `serve`, within the application's own middleware, behind trusted proxies.
    """

    def __init__(
        self,
        mounts: Mapping[str, Asgi],
        wired: Wired,
        runtime: Runtime,
        settings: Settings,
        telemetry: Telemetry,
        older: Sequence[Runtime] = (),
    ) -> None:
        self.wired = wired
        self.runtime = runtime
        self.settings = settings
        self.telemetry = telemetry
        self._runtimes = (runtime, *older)
        self._edge = Edge.of(settings)
        self._root_path = settings.root_path
        self.closing = False
        """Whether answers end their connection."""
        storage = runtime.storage
        optional = {**storage.replicas(), **counting(runtime)}  # without them it serves: limits pass or refuse
        self.readiness = Readiness(
            runtime.plan.version, runtime.clock, {"database": storage.check}, self._tell_health, optional
        )
        telemetry.watch(lambda observation, error: self.readiness.suspect(error))
        plans = (runtime.plan, *(version.plan for version in older))
        docs = Docs(plans, openapi).addresses() if settings.docs else {}
        versions = [Rest(version, self._edge) for version in (runtime, *older)]
        self.upkeep = Upkeep(jobs_of(runtime), telemetry)
        self.mounts = [Mount(prefix, mount) for prefix, mount in mounts.items()]
        self.addresses = Addresses(
            {**docs, **health_pages(self.readiness)},
            [
                *((version.router.base, version) for version in versions),
                *((mount.prefix, mount) for mount in self.mounts),
            ],
        )
        if any(bound.runs_own_code for each in self._runtimes for bound in each.operations.values()):
            import_module("sternpost.telemetry.loggers")  # before the first call waits for it
        self._prepared = False
        """Whether the functions at the start have run, so that those at the stop do."""
        self.entry: Callable[[Scope, Receive, Send], Awaitable[None]] = self.serve
        if wired.middleware:
            self.entry = wrapped(wired.middleware, self.serve, telemetry, runtime.clock)
        self._proxies: TrustedProxies | None = None
        if settings.trusted_proxies:
            from sternpost.protocols.http import proxies

            self._proxies = proxies.TrustedProxies(settings.trusted_proxies, settings.proxy_headers)
            self.entry = proxies.behind_proxies(self.entry, self._proxies, telemetry, runtime.clock)
        self._cors: Served | None = None
        if settings.cors_enabled:
            from sternpost.protocols.http.cors import with_cors

            self._cors = with_cors(self.addresses, settings.cors_origins)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handles one request, and observes it from start to end."""
        root: str = scope.get("root_path") or self._root_path
        if root:
            scope = without_prefix(scope, root, self.addresses.serves)
        headers = read_headers(scope)
        observation = observe(self.telemetry, self.runtime.clock, scope, headers)
        try:
            served = refusal(scope, headers, self._edge) or self._cors or self.addresses.find(scope["path"])
            await served(scope, receive, closing(scope, send) if self.closing else send, headers, observation)
        finally:
            self.telemetry.finished(observation)

    async def connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands a connection of WebSockets to the mounted application whose address it names, under the rules for heads
        of requests. Everything else is refused before the handshake, which servers answer with 403."""
        try:
            seen = scope if self._proxies is None else self._proxies.seen_through(scope)
        except Invalid:
            await refuse_websocket(receive, send)
            return
        root: str = seen.get("root_path") or self._root_path
        if root:
            seen = without_prefix(seen, root, self.addresses.serves)
        served = self.addresses.find(seen["path"])
        headers = read_headers(seen)
        if self.closing or not isinstance(served, Mount) or refusal(seen, headers, self._edge):
            await refuse_websocket(receive, send)
            return
        observation = observe(self.telemetry, self.runtime.clock, {**seen, "method": "GET"}, headers)
        await served.connect(seen, receive, send, headers, observation)

    @property
    def providers(self) -> AppProviders:
        """The values that live as long as this."""
        return self.runtime.providers

    async def start(self) -> None:
        """Makes what is provided, runs the functions for the start, starts the mounted applications, and checks every
        dependency once. One that is away is no error.

        Raises:
            StartupError: one of them failed.
        """
        self.telemetry.start(self.addresses.route)
        await self.providers.open()
        for function in self.wired.on_start:
            try:
                await function.function(**self.providers.arguments(function.needs))
            except Exception as error:
                raise StartupError(f"{function.name} failed at the start: {type(error).__name__}: {error}") from error
        self._prepared = True
        self.upkeep.start()
        for mount in self.mounts:
            reason = await mount.start()
            if reason is not None:
                self.telemetry.tell(events.MountWithoutLifespan(mount=mount.prefix, reason=reason))
        await self.readiness.start()

    async def stop(self) -> None:
        """The other way round, for what was started. What fails is logged, and the rest is stopped all the same."""
        await self.readiness.stop()
        await self.upkeep.stop()
        for mount in reversed(self.mounts):
            reason = await mount.stop()
            if reason is not None:
                self.telemetry.tell(events.MountNotStopped(mount=mount.prefix, reason=reason))
        if self._prepared:
            for function in self.wired.on_stop:
                await self._run_at_stop(function)
        await self.providers.close(self._not_torn_down)

    def end_calls(self) -> None:
        """Ends every call that is being worked on. What has begun to commit is not: see `Deadline`."""
        for runtime in self._runtimes:
            runtime.alarms.end(being_stopped())

    async def _run_at_stop(self, function: Injected) -> None:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await function.function(**self.providers.arguments(function.needs))
        except Exception as error:  # noqa: BLE001  (it is told; what is left has to be stopped, too)
            self.telemetry.tell(events.StopFunctionFailed(name=function.name, error=error))

    def _not_torn_down(self, name: str, error: BaseException) -> None:
        self.telemetry.tell(events.ProvidedNotTornDownAtStop(name=name, error=error))

    def _tell_health(self, name: str, reason: str | None) -> None:
        if reason is None:
            self.telemetry.tell(events.DependencyHealthy(check=name))
        else:
            self.telemetry.tell(events.DependencyUnhealthy(check=name, reason=reason))


class StartedByRequest(Running):
    """An application that its first request has started, because no lifespan event did. It answers in the event loop of
    that request only, to which its connections belong."""

    def __init__(
        self,
        mounts: Mapping[str, Asgi],
        wired: Wired,
        runtime: Runtime,
        settings: Settings,
        telemetry: Telemetry,
        older: Sequence[Runtime] = (),
    ) -> None:
        super().__init__(mounts, wired, runtime, settings, telemetry, older)
        self._loop = asyncio.get_running_loop()
        self.telemetry.tell(events.StartedByRequest(fix=NO_LIFESPAN))

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(OTHER_LOOP)
        await super().serve(scope, receive, send)

"""A started application: what serves requests, and the mounted applications that start and stop with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sternpost.compile.wiring import Wired
from sternpost.data.providers import AppProviders, Injected
from sternpost.derive.openapi.document import openapi
from sternpost.errors import StartupError
from sternpost.health.readiness import Readiness
from sternpost.pipeline.runtime import Runtime
from sternpost.protocols.http.addresses import Addresses, Served, refusal
from sternpost.protocols.http.headers import read_headers
from sternpost.protocols.http.health import health_pages
from sternpost.protocols.http.messages import Receive, Scope, Send, closing
from sternpost.protocols.http.middleware import wrapped
from sternpost.protocols.http.mounts import Asgi, Mount
from sternpost.protocols.http.observed import observe
from sternpost.protocols.http.prefix import without_prefix
from sternpost.protocols.rest.docs import Docs
from sternpost.protocols.rest.rest import Rest
from sternpost.settings import Settings
from sternpost.telemetry.log import Log

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


class Running:
    """A started application: everything that is needed to process requests.

    Attributes:
        entry: where requests come in: `serve`, within the application's own middleware.
    """

    def __init__(
        self,
        mounts: Mapping[str, Asgi],
        wired: Wired,
        runtime: Runtime,
        settings: Settings,
        log: Log,
        older: Sequence[Runtime] = (),
    ) -> None:
        self.wired = wired
        self.runtime = runtime
        self.settings = settings
        self.log = log
        self._root_path = settings.root_path
        self.closing = False
        """Whether answers end their connection."""
        storage = runtime.storage
        self.readiness = Readiness(
            runtime.plan.version, runtime.clock, {"database": storage.check}, self._unhealthy, storage.replicas()
        )
        plans = (runtime.plan, *(version.plan for version in older))
        docs = Docs(plans, openapi).addresses() if settings.docs else {}
        versions = [Rest(version, max_body_bytes=settings.max_body_bytes) for version in (runtime, *older)]
        self.mounts = [Mount(prefix, mount) for prefix, mount in mounts.items()]
        self.addresses = Addresses(
            {**docs, **health_pages(self.readiness)},
            [
                *((version.router.base, version) for version in versions),
                *((mount.prefix, mount) for mount in self.mounts),
            ],
        )
        self._prepared = False
        """Whether the functions at the start have run, so that those at the stop do."""
        self.entry: Callable[[Scope, Receive, Send], Awaitable[None]] = self.serve
        if wired.middleware:
            self.entry = wrapped(wired.middleware, self.serve, self.log, runtime.clock)
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
        observation = observe(self.log, self.runtime.clock, scope, headers)
        try:
            served = refusal(scope, headers) or self._cors or self.addresses.find(scope["path"])
            await served(scope, receive, closing(scope, send) if self.closing else send, headers, observation)
        finally:
            self.log.request(observation)

    @property
    def providers(self) -> AppProviders:
        """The values that live as long as this."""
        return self.runtime.providers

    async def start(self) -> None:
        """Makes what is provided, runs the functions for the start, and starts the mounted applications.

        Raises:
            StartupError: one of them failed.
        """
        await self.providers.open()
        for function in self.wired.on_start:
            try:
                await function.function(**self.providers.arguments(function.needs))
            except Exception as error:
                raise StartupError(f"{function.name} failed at the start: {type(error).__name__}: {error}") from error
        self._prepared = True
        for mount in self.mounts:
            reason = await mount.start()
            if reason is not None:
                self.log.event(
                    "info", "A mounted application takes no lifespan events", mount=mount.prefix, reason=reason
                )

    async def stop(self) -> None:
        """The other way round, for what was started. What fails is logged, and the rest is stopped all the same."""
        for mount in reversed(self.mounts):
            reason = await mount.stop()
            if reason is not None:
                self.log.event(
                    "error", "A mounted application did not stop as it should", mount=mount.prefix, reason=reason
                )

        if self._prepared:
            for function in self.wired.on_stop:
                await self._run_at_stop(function)
        await self.providers.close(lambda name: self._failed("What was provided could not be torn down", name))

    async def _run_at_stop(self, function: Injected) -> None:
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await function.function(**self.providers.arguments(function.needs))
        except Exception:  # noqa: BLE001  (it is logged; what is left has to be stopped, too)
            self._failed("A function at the stop failed", function.name)

    def _failed(self, message: str, name: str) -> None:
        """Logs the error that is being handled."""
        self.log.failure(message, name=name)

    def _unhealthy(self, name: str, reason: str) -> None:
        self.log.event("warning", f"{name} is unhealthy", check=name, reason=reason)


class StartedByRequest(Running):
    """An application that its first request has started, because no lifespan event did. It answers in the event loop of
    that request only, to which its connections belong."""

    def __init__(
        self,
        mounts: Mapping[str, Asgi],
        wired: Wired,
        runtime: Runtime,
        settings: Settings,
        log: Log,
        older: Sequence[Runtime] = (),
    ) -> None:
        super().__init__(mounts, wired, runtime, settings, log, older)
        self._loop = asyncio.get_running_loop()
        log.event("warning", "Started by the first request, because no lifespan event came", fix=NO_LIFESPAN)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError(OTHER_LOOP)
        await super().serve(scope, receive, send)

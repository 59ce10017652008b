"""`Sternpost`: a contract as an ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar, cast

from sternpost.app.cautions import cautions
from sternpost.app.drivers import (
    authenticator_of,
    make_export,
    make_keys,
    make_limit_store,
    make_log,
    make_storage,
    with_api_keys,
)
from sternpost.app.measuring import ServiceMetrics, make_metrics
from sternpost.app.running import OTHER_LOOP, Running, StartedByRequest
from sternpost.clock import Clock, SystemClock
from sternpost.compile.compiler import Compiled, compile_contract
from sternpost.compile.versions import Older
from sternpost.contract.contract import Contract
from sternpost.contract.hooks import Hook
from sternpost.contract.providers import Provider
from sternpost.contract.source import caller_source
from sternpost.contract.wiring import Wiring
from sternpost.data.access import DataAccess
from sternpost.data.database import Database
from sternpost.data.providers import AppProviders, Overrides
from sternpost.errors import StartupError
from sternpost.ids import NewId, new_hex
from sternpost.pipeline.allowed import allows
from sternpost.pipeline.overrides import LimitOverrides
from sternpost.pipeline.runtime import Runtime, first_instant
from sternpost.pipeline.translation import NO_CONVERSIONS
from sternpost.plan.model import Plan
from sternpost.plan.values import tenant_value
from sternpost.ports.authenticator import Authenticator, Principal
from sternpost.ports.limits import LimitStore
from sternpost.ports.storage import EVERY_TENANT, NO_TENANT, Origin, Storage, Visibility
from sternpost.protocols.http.edge import LEFT_TO_SERVER
from sternpost.protocols.http.headers import bearer_token, read_headers
from sternpost.protocols.http.health import STARTUP, answer_starting
from sternpost.protocols.http.messages import Receive, Scope, Send
from sternpost.protocols.http.mounts import Asgi, error_answer
from sternpost.settings import Settings, load_settings
from sternpost.telemetry.events import IdsWillChange, LimitsLeftToServer, SunsetPassed
from sternpost.telemetry.level import LevelOverride
from sternpost.telemetry.log import Write
from sternpost.telemetry.telemetry import Telemetry

IDS_WOULD_CHANGE = (
    "The contract turns integer keys of the database into encrypted ids, and the ids change with the secret key. "
    "Set STERNPOST_SECRET_KEY to at least 32 random bytes "
    "(for example the output of: openssl rand -hex 32), and never change it."
)

D = TypeVar("D", bound=Database)
T = TypeVar("T")

Seed = Callable[[Any], Awaitable[None]]
"""Fills a database: `async def seed(data: Data) -> None`."""


class Sternpost:
    """An ASGI application that serves a contract.

    Args:
        contract: what to serve. It is compiled here; a contract with mistakes raises `ContractError`.
        services: modules (or functions) with `@implements`.
        settings: by default read from the environment when the application starts.
        hooks: functions at fixed places of a call's way: `after_authentication(f)`, `after_validation(f)`,
            `around_handler(f)`, `before_encoding(f)`, `after_commit(f)`; run in this order, and in that of this list.
        provide: what services, hooks and start functions are given by type: `provide(Mailer, make_mailer)`.
        on_start, on_stop: async functions that run when everything is provided, and before it is torn down. A request
            is served only between the two.
        middleware: what wraps the application, the outermost first: each is called with an ASGI application and gives
            one. It runs outside the pipeline and sees requests of HTTP alone.
        mounts: other ASGI applications by path prefix. They run outside the pipeline: no policy, no limit, only log
            lines. They are started and stopped with this one. `caller`, `allows` and `error_answer` are for them.
        seed: an async function that fills a database for development and tests, given the data client; run twice, it
            must leave the same rows. `sternpost seed` runs it.
        storage, authenticator, limits, clock, new_id, write_log: replaced in tests; by default what the settings say.
    """

    def __init__(
        self,
        contract: Contract,
        *,
        services: Iterable[ModuleType | Callable[..., Any]] = (),
        settings: Settings | None = None,
        hooks: Sequence[Hook] = (),
        provide: Sequence[Provider] = (),
        on_start: Sequence[Callable[..., Awaitable[object]]] = (),
        on_stop: Sequence[Callable[..., Awaitable[object]]] = (),
        middleware: Sequence[Callable[..., Asgi]] = (),
        mounts: Mapping[str, Asgi] | None = None,
        seed: Seed | None = None,
        storage: Storage | None = None,
        authenticator: Authenticator | None = None,
        limits: LimitStore | None = None,
        clock: Clock | None = None,
        new_id: NewId = new_hex,
        write_log: Write | None = None,
    ) -> None:
        self.contract = contract
        wiring = Wiring(hooks, provide, on_start, on_stop, middleware, mounts, caller_source(1))
        self.compiled: Compiled = compile_contract(contract, services, wiring)
        self.mounts = dict(mounts or {})
        self.clock: Clock = clock or SystemClock()
        self.seed = seed
        self.in_flight = 0
        self._settings: Settings | None = settings
        self._storage: Storage | None = storage
        self._authenticator = authenticator
        self._limits, self._counting = limits, limits
        self._new_id: NewId = new_id
        self._write_log = write_log
        self.limit_overrides = LimitOverrides()
        """For whom other quantities of rate limits hold."""
        self.log_override = LevelOverride()
        """The level of the log that holds for a time."""
        self._limit_memory: int | None = None
        self._running: Running | None = None
        self._serving: Running | None = None
        """The same once it has started as a whole: before that no request is served."""
        self._starting: asyncio.Task[Running] | None = None
        self._stopped = False
        self.keeps_edge = False
        """Whether the server is our own, which keeps the limits of connections."""
        self.failure: Exception | None = None
        """Why it did not start, where a server asked it to."""
        self.metrics: ServiceMetrics | None = None
        """What is counted since the start; None where nobody can read it."""
        self._overrides = Overrides()
        self._providers = AppProviders()

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

    def use(self, settings: Settings, limit_memory: int | None = None) -> None:
        """Sets the settings, where a command has read them already, and what this worker counts limits in."""
        self._settings, self._limit_memory = settings, limit_memory

    @contextmanager
    def replaced(
        self, settings: Settings, *, clock: Clock, new_id: NewId, storage: Storage | None = None
    ) -> Generator[None]:
        """Within the block it has these settings, this clock, these ids, and this database or that of the settings.
        For tests of an application that is made when its module is imported."""
        before = self._settings, self.clock, self._new_id, self._storage
        self._settings, self.clock, self._new_id, self._storage = settings, clock, new_id, storage
        try:
            yield
        finally:
            self._settings, self.clock, self._new_id, self._storage = before

    @property
    def running(self) -> Running:
        """What serves requests, between `start` and `stop`."""
        if self._running is None:
            raise RuntimeError("The application has not been started: serve it with lifespan events, or call start()")
        return self._running

    async def start(self, *, only_open: bool = False) -> Running:
        """Opens the database, makes what is provided, builds everything that requests need, runs the functions for the
        start, and starts the mounted applications. An unavailable database is no error.

        Args:
            only_open: leaves out what the application itself does at its start, for `Running.start` later. Nothing
                then belongs to an event loop yet.

        Raises:
            StartupError: a setting is wrong or unsafe, or something of the application does not start.
        """
        return await self._start(Running, only_open=only_open)

    @asynccontextmanager
    async def lifespan(self, outer: object = None) -> AsyncGenerator[None]:
        """Starts the application for the time of an outer one that mounts it:
        `Starlette(routes=[Mount("/shop", app)], lifespan=app.lifespan)`.

        Args:
            outer: the outer application, which Starlette and FastAPI pass; it is not used.
        """
        await self.start()
        try:
            yield
        finally:
            await self.stop()

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[Storage]:
        """The database alone, for a command: nothing is provided, and no function of the start runs."""
        storage = self._storage or make_storage(self.settings)
        await storage.open(self.plan)
        try:
            yield storage
        finally:
            await storage.close()

    async def _start(self, kind: type[Running], *, only_open: bool = False) -> Running:
        settings = self.settings
        if self.plan.hides_keys and not settings.keeps_secrets and settings.production:
            raise StartupError(IDS_WOULD_CHANGE)
        storage = self._storage or make_storage(settings, serving=True)
        await storage.open(self.plan)
        plans = (self.plan, *self._older_plans())
        authenticator: Authenticator = self._authenticator or authenticator_of(settings, plans, self.clock)
        log = make_log(settings, plans, self.clock, self._write_log, self.log_override)
        export = make_export(settings, self.plan, self.clock, log)
        self.metrics = make_metrics(settings, plans, self.mounts, self.clock, storage, lambda: self.in_flight, export)
        telemetry = Telemetry(log, self.clock, () if self.metrics is None else (self.metrics,), export)
        if self.plan.api_keys:
            authenticator = with_api_keys(settings, self.clock, storage, authenticator, telemetry)
        if self.plan.hides_keys and not settings.keeps_secrets:
            telemetry.tell(IdsWillChange(reason=IDS_WOULD_CHANGE))
        self._providers = AppProviders(self.compiled.wired.makers, {Settings: settings}, self._overrides)
        if self._limits is None and any(plan.every_limit for plan in plans):
            self._counting = make_limit_store(settings, log.service, self.clock, self._limit_memory)
        runtime = self._runtime(settings, storage, authenticator)
        older = self._older(settings, runtime, telemetry)
        try:
            running = self._running = kind(self.mounts, self.compiled.wired, runtime, settings, telemetry, older)
        except BaseException:
            await _close(runtime)
            raise
        self._stopped = False
        try:
            if not only_open:
                await running.start()
                if self.metrics is not None:
                    self.metrics.start()
        except BaseException:
            await self.stop()
            self._stopped = False  # it may be tried again
            raise
        self._serving = running
        return running

    async def _start_by_request(self) -> Running:
        """Starts an application that no lifespan event reached: outer applications do not pass it on.

        Requests that come meanwhile wait for the same start; after one that failed, the next request tries again.

        Raises:
            RuntimeError: it has been stopped, or another event loop is starting it.
            StartupError: as `start`.
        """
        if self._stopped:
            raise RuntimeError("The application has been stopped, and answers no more requests")
        if self._starting is None:
            self._starting = asyncio.create_task(self._start(StartedByRequest))
        elif self._starting.get_loop() is not asyncio.get_running_loop():
            raise RuntimeError(OTHER_LOOP)
        starting = self._starting
        try:
            return await asyncio.shield(starting)  # who no longer waits does not take it from the others
        finally:
            if starting.done() and self._starting is starting:
                self._starting = None

    def _older_plans(self) -> list[Plan]:
        return [version.plan for version in self.compiled.older]

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
            timeout_seconds=settings.request_timeout_seconds,
            answer_bytes_max=settings.answer_bytes_max,
            hooks=self.compiled.wired.hooks,
            injected=self.compiled.wired.injected,
            providers=self._providers,
            computing=self.compiled.computing,
            limits=self._counting,
            keys=make_keys(
                self.plan, settings, storage, self.clock, None if self.metrics is None else self.metrics.keys
            ),
            overrides=self.limit_overrides,
            decisions=None if self.metrics is None else self.metrics.limit_decisions,
        )

    def _older(self, settings: Settings, newest: Runtime, telemetry: Telemetry) -> list[Runtime]:
        """The runtimes of older API versions; a version that is past its sunset date is logged."""
        older: list[Runtime] = []
        for version in self.compiled.older:
            older.append(self._runtime(settings, newest.storage, newest.authenticator, version))
            _tell_sunset(version.plan, self.clock, telemetry)
        return older

    async def stop(self) -> None:
        """Closes what `start` opened."""
        running, self._running, self._serving = self._running, None, None
        if running is not None:
            self._stopped = True
            if self.metrics is not None:
                self.metrics.stop()
            await running.stop()
            running.telemetry.flush()
            await _close(running.runtime, running.telemetry)

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
            tenant: the tenant whose rows are used, as in a token's claim. With tenants, this or `tenants` is needed.
            tenants: "all" for the rows of every tenant; a new row must then name its tenant.
            actor: the actor that the audit trail records for the changes, such as "nightly-import".

        Raises:
            TypeError: the contract has tenants, and neither is given, or both.
        """
        visibility, origin = _visibility(self.plan, tenant, tenants), Origin(actor) if actor is not None else None
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

    @contextmanager
    def override(self, wanted: type[T], value: T) -> Generator[None]:
        """Puts a value in place of the provided one, for the time of a test: `with app.override(Mailer, fake):`. Its
        factory is not called; one that other providers need is overridden before the start."""
        with self._overrides.replaced(wanted, value):
            yield

    async def caller(self, scope: Scope) -> Principal | None:
        """Who a request to a mounted application comes from, by its Authorization header; None without one.

        Raises:
            InvalidCredentials: the token or the key is not valid (an `Unauthenticated`).
        """
        credentials = bearer_token(read_headers(scope))
        return None if credentials is None else await self.running.runtime.authenticator.authenticate(credentials)

    async def allows(self, principal: Principal | None, operation: str, id: str | None = None) -> bool:
        """Whether a caller may carry out an operation, such as `orders.read`, on a row. The policy is asked as it is
        for a call, with the row; nothing is carried out.

        Raises:
            ValueError: there is no such operation, it is about a row and no id is given, or its policy asks for the
                values of a new row.
        """
        return await allows(self.running.runtime, principal, operation, id)

    def error_answer(self, scope: Scope, error: Exception) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body that this service answers an error with, for a mounted application; it is logged."""
        return error_answer(scope, error)

    def drain(self) -> None:
        """From now on readiness fails; requests are still answered."""
        self.running.readiness.draining = True

    def retire(self) -> None:
        """Another process takes over: responses close their connections. Readiness does not change."""
        self.running.closing = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self.in_flight += 1
            try:
                if self._serving is None and scope["path"].endswith(STARTUP) and _is_starting(self):
                    await answer_starting(scope, send)
                    return
                running = self._serving or await self._start_by_request()
                await running.entry(scope, receive, send)
            finally:
                self.in_flight -= 1
        elif scope["type"] == "lifespan":
            await _live(self, receive, send)
        else:
            await (self._serving or await self._start_by_request()).connect(scope, receive, send)


def _is_starting(app: Sternpost) -> bool:
    """Whether a start is under way, whose end a probe does not wait for."""
    return app._starting is not None or app.started  # pyright: ignore[reportPrivateUsage]


def _visibility(plan: Plan, tenant: str | None, tenants: str | None) -> Visibility:
    if tenant is not None and tenants is not None:
        raise TypeError('data() takes tenant="…" or tenants="all", not both')
    if tenants not in (None, "all"):
        raise TypeError(f'tenants can only be "all", not {tenants!r}; for one tenant write tenant="…"')
    owners = [resource for resource in plan.resources if resource.tenant is not None]
    if tenant is None and tenants is None and owners:
        raise TypeError(
            f'{owners[0].name} belongs to tenants: write app.data(tenant="…") for the rows of one tenant, '
            'or app.data(tenants="all") for the rows of all tenants'
        )
    if tenant is not None and all(tenant_value(plan, resource, tenant) is None for resource in owners):
        raise TypeError(f"{tenant!r} is not a valid tenant of this contract")
    return EVERY_TENANT if tenants else Visibility(tenant) if tenant else NO_TENANT


async def _live(app: Sternpost, receive: Receive, send: Send) -> None:
    """Starts and stops an application when its server says so (the lifespan of the ASGI specification)."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await app.start()
            except Exception as error:
                app.failure = error
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                raise
            if not app.keeps_edge:
                left = [f"STERNPOST_{name.upper()}" for name in LEFT_TO_SERVER]
                app.running.telemetry.tell(LimitsLeftToServer(limits=left))
                for event in cautions(app.settings):
                    app.running.telemetry.tell(event)
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await app.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return


def _tell_sunset(plan: Plan, clock: Clock, telemetry: Telemetry) -> None:
    """Logs that a version of the API is still served after its sunset."""
    if plan.sunset is not None and first_instant(plan.sunset) <= clock.now() and not plan.gone_after_sunset:
        telemetry.tell(SunsetPassed(api_version=plan.api_version, sunset=plan.sunset))


async def _close(runtime: Runtime, telemetry: Telemetry | None = None) -> None:
    """Closes what was opened for a runtime, and what it is observed by, last."""
    await runtime.authenticator.close()
    if runtime.limiter is not None:
        await runtime.limiter.store.close()
    await runtime.storage.close()
    if telemetry is not None:
        await telemetry.stop()

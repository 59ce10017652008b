"""Runs an application with uvicorn in this process, and takes it down without failing a request."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Generator
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, cast

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from sternpost.app.application import Sternpost
from sternpost.app.cautions import cautions, has_websockets
from sternpost.app.descriptors import OTHERS, make_room
from sternpost.app.ending import Ending
from sternpost.app.http1.admission import Admission
from sternpost.app.http1.connection import HttpProtocol, Shared
from sternpost.app.listener import close_without_reset
from sternpost.app.tls import tls_context
from sternpost.app.worker import Link
from sternpost.clock import SystemClock
from sternpost.errors import StartupError
from sternpost.protocols.http.edge import Edge
from sternpost.settings import Settings
from sternpost.telemetry import events
from sternpost.telemetry.log import Log
from sternpost.telemetry.metric_names import CONNECTIONS
from sternpost.telemetry.telemetry import Telemetry

if TYPE_CHECKING:
    from sternpost.app.ops.opening import Ops

LOG = logging.getLogger("sternpost.http")
POLL_SECONDS = 0.02
KEEP_ALIVE_SECONDS = 5
"""How long a connection may be idle before it is closed."""

HSTS_SECONDS = 31_536_000
FORGET_SECONDS = 60.0
"""How long headers of requests may be remembered, which hold credentials."""

ANSWER_SECONDS = 1.0
"""How long requests may take to be answered that were told to end; and what is left at the very end."""

HURRY_SECONDS = 2.0
"""How long the application may take to stop after a second signal."""


class Server(uvicorn.Server):
    """uvicorn with an own end: readiness falls, the listener closes, what is in flight is finished or told to end, the
    application is stopped, the exit status is 0.

    Args:
        on_ready: called with the port once requests are accepted.
        link: the supervisor's, in a worker: it is told all the time that the worker goes on.
        ops: a socket for the ops port, where this process holds it.
    """

    def __init__(
        self,
        app: Sternpost,
        settings: Settings,
        on_ready: Callable[[int], None],
        link: Link | None = None,
        ops: socket.socket | None = None,
    ) -> None:
        self.app = app
        self.settings = settings
        self.on_ready = on_ready
        self.link = link
        self._number = None if link is None else link.number
        """Which of the workers this is."""
        self._ops_listener = ops
        self._ops: Ops | None = None
        self.retiring = False
        """Another process has taken the place of this one, on the same address."""
        self.stopping = False
        self.hurried = asyncio.Event()
        """A second signal came."""
        self.patience_seconds = KEEP_ALIVE_SECONDS
        """How long idle connections are kept for one more request. None is closed then that would not have been closed
        anyway: a request that arrives at that moment would fail."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop_at = 0.0
        """When the grace for the load balancer is over."""
        self._next_sweep = self._next_forgetting = 0.0
        self._ending: Ending | None = None
        self.edge = Edge.of(settings)
        self._tls = tls_context(settings)
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                ws="websockets-sansio" if app.mounts and has_websockets() else "none",
                ws_max_size=settings.max_body_bytes,
                headers=_transport_security(settings),
            )
        )
        self._shared = Shared(
            app,
            self.server_state,
            self.edge,
            Admission(self.edge.connections_max, self.edge.connections_per_address_max, settings.trusted_proxies),
            KEEP_ALIVE_SECONDS,
            LOG,
            self._tell,
            upgrade=self._websocket if self.config.ws != "none" else None,
        )

    def stop(self, number: int, frame: FrameType | None) -> None:
        """The signal handler: the first signal drains, a second one gives up what is in flight. Someone at a terminal
        (SIGINT) does not wait for connections on which nothing happens."""
        loop = self._loop
        assert loop is not None, "signals are taken in the event loop"
        if self.stopping:
            self.should_exit = True
            loop.call_soon_threadsafe(self.hurried.set)
            if self._ending is not None:
                self._ending.hurry(number, frame)
            return
        self.stopping = True
        if number == signal.SIGINT:
            self.patience_seconds = 0
        if self.started:
            self._stop_at = loop.time() + self.settings.shutdown_grace_seconds
            self.app.drain()
        else:
            self.should_exit = True
            loop.call_soon_threadsafe(self._leave_start)

    def _leave_start(self) -> None:
        """Ends a start: what has begun is cancelled, and cleans up behind itself."""
        if not self.started:
            service = self.settings.service or self.app.plan.name
            clock = SystemClock()
            telemetry = Telemetry(Log(service, clock, level=self.settings.log_level), clock)
            self._end_within(self.settings.shutdown_seconds, telemetry)
            raise SystemExit(0)

    def _end_within(self, seconds: float, telemetry: Telemetry) -> None:
        self._ending = Ending(telemetry, asyncio.get_running_loop(), seconds)

    def retire(self) -> None:
        """Ends it when its last connection has ended; may be called from another thread."""
        self.retiring = self.should_exit = True
        self.app.retire()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Takes SIGINT and SIGTERM for the time of serving. uvicorn's own would raise them again at the end."""
        self._loop = asyncio.get_running_loop()
        previous = {number: signal.signal(number, self.stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler if self._ending is None else self._ending.hurry)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if self.link is not None and self.settings.ops_token is not None:  # before a request is accepted
            from sternpost.app.ops.process import OpsProcess

            await self.link.attend(OpsProcess(self.app).answer)
        self.app.keeps_edge = True
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        if self.link is None:  # of several workers, the supervisor tells it
            for event in cautions(self.settings, self.app.mounts):
                self._tell(event)
        self._make_room()
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                self._connection,
                sock=opened,
                backlog=self.config.backlog,
                ssl=self._tls,
                ssl_handshake_timeout=self.edge.head_seconds if self._tls else None,
            )
            for opened in sockets or ()
        ]
        self.started = True
        if not self.should_exit:
            if self.app.metrics is not None:
                self.app.metrics.add(lambda: [(CONNECTIONS.name, (), len(self.server_state.connections))])
            await self._open_ops()
            _spare_the_collector()
            port = self.servers[0].sockets[0].getsockname()[1]
            ready = events.Ready(host=self.settings.host, port=port, worker=self._number, pid=os.getpid())
            self.app.running.telemetry.tell(ready)
            self.on_ready(port)
            if self.link is not None:
                self.link.beat(asyncio.get_running_loop())

    def _make_room(self) -> None:
        most, open_files = make_room(self.edge.connections_max, OTHERS + self.settings.database_pool_size)
        self._shared.admission.most = most
        if open_files is not None:
            self.app.running.telemetry.tell(events.FewerConnections(connections=most, open_files=open_files))

    def _connection(self) -> HttpProtocol:
        return HttpProtocol(self._shared)

    def _tell(self, event: events.Event) -> None:
        if self.app.started:
            self.app.running.telemetry.tell(event)

    def _websocket(self) -> asyncio.Protocol:
        make = cast("Callable[..., asyncio.Protocol]", self.config.ws_protocol_class)
        return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)

    async def _open_ops(self) -> None:
        if self._ops_listener is not None:
            from sternpost.app.ops.fleet import Alone
            from sternpost.app.ops.opening import Ops
            from sternpost.app.ops.process import OpsProcess

            fleet = Alone(OpsProcess(self.app).answer)
            self._ops = Ops(self._ops_listener, self.settings, fleet, self.app.running.telemetry, self.app.clock)
            await self._ops.open()

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second, until the shutdown begins, which has a time limit of its own. In the grace for the
        load balancer all goes on as before, but that readiness has fallen."""
        now = asyncio.get_running_loop().time()
        if self.stopping and now >= self._stop_at:
            self.should_exit = True
        self._sweep(now)
        return await super().on_tick(counter)

    def _sweep(self, now: float) -> None:
        if now >= self._next_sweep:
            self._next_sweep = now + self.edge.sweep_seconds
            if now >= self._next_forgetting:
                self._next_forgetting = now + FORGET_SECONDS
                self._shared.known.forget()
            for connection in self._connections():
                connection.sweep(now)

    def _connections(self) -> list[HttpProtocol]:
        """Those of HTTP/1.1; others end with their tasks."""
        return [each for each in list(self.server_state.connections) if isinstance(each, HttpProtocol)]

    # -- the end

    def _end_websockets(self) -> None:
        """Tells clients and applications that connections of WebSockets end (1012, service restart): they have no
        request whose answer could say so."""
        for connection in list(self.server_state.connections):
            if not isinstance(connection, HttpProtocol):
                connection.shutdown()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends serving; requests have `shutdown_seconds` from here on."""
        telemetry, begun = self.app.running.telemetry, events.Retiring if self.retiring else events.ShuttingDown
        telemetry.tell(begun(in_flight=self.app.in_flight, worker=self._number, pid=os.getpid()))
        self.app.retire()
        for connection in self._connections():
            connection.close_after_answer()
        self._end_websockets()
        deadline = asyncio.get_running_loop().time() + self.settings.shutdown_seconds
        if self.retiring:  # its successor accepts from the same socket, which stays open
            self._close_listeners(sockets)
            deadline += KEEP_ALIVE_SECONDS
        else:
            for opened in sockets or ():
                await close_without_reset(opened, partial(self._close_listeners, sockets))
        await self._outlast_connections(deadline)
        self.app.drain()
        await self._end_requests()
        await self._cut_connections()
        await self._say_last()
        await self._stop_application(telemetry)
        if self._ops is not None:
            await self._ops.close()
        telemetry.tell(events.Stopped(worker=self._number, pid=os.getpid()))
        left = 0 if self.hurried.is_set() else deadline - asyncio.get_running_loop().time()
        self._end_within(max(left, ANSWER_SECONDS), telemetry)

    async def _say_last(self) -> None:
        """What this worker has counted must not end with it."""
        metrics = self.app.metrics
        if self.link is not None and metrics is not None:
            await self.link.say_last({"do": "metrics", "snapshot": metrics.snapshot().as_json()})

    def _close_listeners(self, sockets: list[socket.socket] | None) -> None:
        for server in self.servers:
            server.close()
        for opened in sockets or ():
            opened.close()

    async def _outlast_connections(self, deadline: float) -> None:
        """Waits until each connection has got an answer that closes it, or was idle for as long as it may be: until
        then a load balancer may ask for readiness on it, and a client may send a request that must not fail."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while (now := loop.time()) < deadline and not self.hurried.is_set():
            if now >= started + self.patience_seconds and not self.app.in_flight:
                for connection in self._connections():
                    connection.close_if_unused()
            if not self.server_state.connections and not self.app.in_flight:
                return
            if self.stopping and self.retiring:
                deadline = min(deadline, now + self.settings.shutdown_seconds)
            self._sweep(now)
            await asyncio.sleep(POLL_SECONDS)

    async def _end_requests(self) -> None:
        """Tells what is still in flight to end: what is undone is answered with 503, a commit that has begun with what
        became of it, and a stream is cut off."""
        if not self.app.in_flight:
            return
        self.app.running.telemetry.tell(events.RequestsEnded(in_flight=self.app.in_flight))
        until = asyncio.get_running_loop().time() + ANSWER_SECONDS
        while self.app.in_flight and asyncio.get_running_loop().time() < until:
            self.app.running.end_calls()
            for connection in self._connections():
                connection.end_unread()
            await asyncio.sleep(POLL_SECONDS)

    async def _cut_connections(self) -> None:
        """Closes what is left: idle connections, answers that nobody reads, and requests that did not end."""
        if self.app.in_flight:
            self.app.running.telemetry.tell(events.RequestsAborted(in_flight=self.app.in_flight))
        for connection in self._connections():
            connection.cut()
        tasks = list(self.server_state.tasks)
        if tasks:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=ANSWER_SECONDS)

    async def _stop_application(self, telemetry: Telemetry) -> None:
        """Closes what the application has opened; from a second signal on within a limit."""
        try:
            async with asyncio.timeout(None) as limit:
                watching = asyncio.create_task(self._set_when_hurried(limit))
                try:
                    await self.lifespan.shutdown()
                finally:
                    watching.cancel()
        except TimeoutError:
            telemetry.tell(events.ApplicationGivenUp())

    async def _set_when_hurried(self, limit: asyncio.Timeout) -> None:
        await self.hurried.wait()
        limit.reschedule(asyncio.get_running_loop().time() + HURRY_SECONDS)


def _transport_security(settings: Settings) -> list[tuple[str, str]]:
    """What every answer says of HTTPS (RFC 6797)."""
    seconds = settings.hsts_seconds
    if seconds is None:
        seconds = HSTS_SECONDS if settings.tls_certificate_path is not None else 0
    return [("strict-transport-security", f"max-age={seconds}")] if seconds or settings.hsts_seconds == 0 else []


def _spare_the_collector() -> None:
    """What was made up to here stays until the end: the collector need not walk through it under load, which took tens
    of milliseconds at a time. Requests leave few cycles behind, so it may also run less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


class LogHandler(logging.Handler):
    """Passes on what libraries log through `logging`, as lines of our own form."""

    def __init__(self, app: Sternpost) -> None:
        super().__init__(logging.WARNING)
        self.app = app

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
            return  # only the end cancels requests, and has a line of its own
        if self.app.started:  # before that, whoever starts the service says what is wrong
            kind = events.LibraryFailed if record.levelno >= logging.ERROR else events.LibraryWarned
            self.app.running.telemetry.tell(kind(logger=record.name, text=record.getMessage()))


THREAD_TURN_SECONDS = 0.0005
"""How long a thread that computes, such as one that encodes spans, may keep the event loop waiting. Python's default of
5 ms was in the slowest hundredth of all requests."""


def serve(
    app: Sternpost,
    settings: Settings,
    on_ready: Callable[[int], None] = lambda port: None,
    *,
    listener: socket.socket | None = None,
    link: Link | None = None,
) -> int:
    """Serves until SIGINT or SIGTERM.

    Args:
        listener: a bound socket to accept from; by default one is made as the settings say.
        link: the supervisor's, in a worker.

    Returns:
        The exit status: 0 after a shutdown, also one that had to give requests up after the time limit.

    Raises:
        StartupError: the address is taken, or the application does not start.
    """
    listener = listener or listen(settings.host, settings.port)
    ops = listen_for_ops(settings) if link is None else None
    server = Server(app, settings, on_ready, link, ops)
    if link is not None:
        link.on_retire = server.retire
    logging.basicConfig(handlers=[LogHandler(app)], level=logging.WARNING, force=True)
    sys.setswitchinterval(THREAD_TURN_SECONDS)
    try:
        server.run(sockets=[listener])
    except SystemExit as error:
        if error.code == 0:
            return 0
        if isinstance(app.failure, StartupError):
            raise app.failure from error
        raise StartupError("The application failed to start") from app.failure or error
    return 0


def listen_for_ops(settings: Settings) -> socket.socket | None:
    """A socket for the ops port; None where there is none. Raises `StartupError` as `listen`."""
    if settings.ops_token is None:
        return None
    return listen(settings.ops_host, settings.ops_port, variables=("STERNPOST_OPS_HOST", "STERNPOST_OPS_PORT"))


def listen(
    host: str,
    port: int,
    *,
    shared: bool = False,
    variables: tuple[str, str] = ("STERNPOST_HOST", "STERNPOST_PORT"),
) -> socket.socket:
    """A bound socket. Others may be bound to the same address where all of them are `shared` (SO_REUSEPORT).

    Args:
        variables: what sets the address.

    Raises:
        StartupError: the address is taken, or none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError as error:
        raise StartupError(
            f"Cannot listen on {host}:{port}: {error.strerror}. Set {' and '.join(variables)} to a free address."
        ) from error
    listener.setblocking(False)
    return listener

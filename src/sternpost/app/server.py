"""Runs an application with uvicorn in this process, and takes it down without failing a request."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable, Generator
from types import FrameType
from typing import cast

import uvicorn

from sternpost.app.application import Sternpost
from sternpost.app.protocol import SWEEP_SECONDS, HttpProtocol
from sternpost.app.worker import Link
from sternpost.errors import StartupError
from sternpost.settings import Settings

POLL_SECONDS = 0.02
KEEP_ALIVE_SECONDS = 5
"""How long a connection may be idle before it is closed."""


class Server(uvicorn.Server):
    """uvicorn with an own end: readiness falls, the listener closes, what is in flight is finished, the exit status is
    0.

    Args:
        on_ready: called with the port once requests are accepted.
        link: the supervisor's, in a worker: it is told all the time that the worker goes on.
    """

    def __init__(
        self, app: Sternpost, settings: Settings, on_ready: Callable[[int], None], link: Link | None = None
    ) -> None:
        self.app = app
        self.settings = settings
        self.on_ready = on_ready
        self.link = link
        self.retiring = False
        """Another process has taken the place of this one, on the same address."""
        self.stopping = False
        self._next_sweep = 0.0
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="none",
                http=HttpProtocol,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
            )
        )

    def stop(self, number: int, frame: FrameType | None) -> None:
        """The signal handler: the first signal drains, a second one gives up what is in flight."""
        if self.stopping:
            self.force_exit = True
        self.stopping = self.should_exit = True
        if self.started:
            self.app.drain()

    def retire(self) -> None:
        """Ends it when its last connection has ended; may be called from another thread."""
        self.retiring = self.should_exit = True
        self.app.retire()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Takes SIGINT and SIGTERM for the time of serving. uvicorn's own would raise them again at the end."""
        previous = {number: signal.signal(number, self.stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started and not self.should_exit:
            _spare_the_collector()
            port = self.servers[0].sockets[0].getsockname()[1]
            self.app.running.log.event("info", "Ready", host=self.settings.host, port=port)
            self.on_ready(port)
            if self.link is not None:
                self.link.beat(asyncio.get_running_loop())

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second, until the shutdown begins, which has a time limit of its own."""
        now = asyncio.get_running_loop().time()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            for connection in cast("list[HttpProtocol]", list(self.server_state.connections)):
                connection.sweep(now)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.app.running.log.event(
            "info", "Retiring" if self.retiring else "Shutting down", inFlight=self.app.in_flight
        )
        for server in self.servers:
            server.close()
        for opened in sockets or []:
            opened.close()
        if self.retiring:
            await self._outlast_connections()
        deadline = asyncio.get_running_loop().time() + self.settings.shutdown_seconds
        self.app.drain()
        # Idle connections stay open until the last request in flight is answered: a probe on one of them gets its 503.
        while self.app.in_flight and not self.force_exit and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(POLL_SECONDS)
        if self.app.in_flight:
            self.app.running.log.event("warning", "Requests in progress were aborted", inFlight=self.app.in_flight)
        remaining = max(deadline - asyncio.get_running_loop().time(), 0.0)
        self.config.timeout_graceful_shutdown = int(min(remaining, 1.0)) if self.app.in_flight else 1
        running = self.app.running
        await super().shutdown(sockets=None)
        running.log.event("info", "Stopped")

    async def _outlast_connections(self) -> None:
        """Waits until each connection has got an answer that closes it, or was idle for as long as it may be.

        None is closed that would not have been closed anyway: a request that arrives at that moment would fail.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        while self.server_state.connections and not self.stopping:
            if loop.time() > started + KEEP_ALIVE_SECONDS + self.settings.shutdown_seconds:
                return
            if loop.time() > started + KEEP_ALIVE_SECONDS and not self.app.in_flight:
                return  # what is left never sent a request, or sends one too slowly
            await asyncio.sleep(POLL_SECONDS)


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
        if self.app.started:  # before that, whoever starts the service says what is wrong
            level = "error" if record.levelno >= logging.ERROR else "warning"
            self.app.running.log.event(level, record.getMessage(), logger=record.name)


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
    server = Server(app, settings, on_ready, link)
    if link is not None:
        link.on_retire = server.retire
    logging.basicConfig(handlers=[LogHandler(app)], level=logging.WARNING, force=True)
    try:
        server.run(sockets=[listener])
    except SystemExit as error:
        if error.code == 0:
            return 0
        if isinstance(app.failure, StartupError):
            raise app.failure from error
        raise StartupError("The application failed to start") from app.failure or error
    return 0


def listen(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A bound socket. Others may be bound to the same address where all of them are `shared` (SO_REUSEPORT).

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
            f"Cannot listen on {host}:{port}: {error.strerror}. Set STERNPOST_HOST and STERNPOST_PORT to a "
            "free address."
        ) from error
    listener.setblocking(False)
    return listener

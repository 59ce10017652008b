"""The ops port itself: a small HTTP server in the event loop of the process that holds it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from email.utils import formatdate
from typing import Any, cast

from uvicorn.server import ServerState

from sternpost.app.http1.admission import Admission
from sternpost.app.http1.connection import HttpProtocol, Shared
from sternpost.app.ops.pages import OpsPages
from sternpost.protocols.http.edge import Edge
from sternpost.telemetry.events import Event

CONNECTIONS_MAX = 32
"""For more, those are closed that have not asked anything yet, the oldest first: those who run a service are few, and
others may find the port."""

BACKLOG = 32
EDGE = Edge()
IDLE_SECONDS = 60
"""A scraper asks every 15 to 60 seconds."""

_SILENT = logging.getLogger("sternpost.ops")
"""What is no HTTP is answered with 400, and not logged: whoever finds the port could fill the log."""


def _forget(event: Event) -> None:
    """The same for what is no whole request."""


_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


class OpsPort:
    """Serves pages on a socket.

    Args:
        listener: bound.
    """

    def __init__(self, listener: socket.socket, pages: OpsPages) -> None:
        self._listener = listener
        admission = Admission(2 * CONNECTIONS_MAX)  # those without a place are closed before they count
        self._state = ServerState()
        self._shared = Shared(pages, self._state, EDGE, admission, IDLE_SECONDS, _SILENT, _forget)
        self._places: dict[_Connection, None] = {}
        """Who has one, the oldest first."""
        self._server: asyncio.Server | None = None
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._listener.getsockname()[1]

    async def start(self) -> None:
        """Accepts connections from now on."""
        self._tick()
        self._server = await asyncio.get_running_loop().create_server(
            self._protocol, sock=self._listener, backlog=BACKLOG
        )
        self._sweeping = asyncio.create_task(self._sweep())

    async def close(self) -> None:
        """Closes the port and its connections."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._server is not None:
            self._server.close()
        self._listener.close()
        for connection in self._connections():
            connection.transport.close()

    def _connections(self) -> list[HttpProtocol]:
        return cast("list[HttpProtocol]", list(self._state.connections))

    def _protocol(self) -> asyncio.Protocol:
        if len(self._places) >= CONNECTIONS_MAX and not self._make_room():
            return _Closing()
        protocol = _Connection(self._leave, self._shared)
        self._places[protocol] = None
        return protocol

    def _make_room(self) -> bool:
        """Ends the oldest connection that has not asked anything; False where each has asked, and so had the token: an
        answer to who has not closes its connection."""
        for connection in self._places:
            if not connection.has_asked:
                self._leave(connection)
                connection.give_up()
                return True
        return False

    def _leave(self, connection: _Connection) -> None:
        self._places.pop(connection, None)

    async def _sweep(self) -> None:
        """Ends what takes too long to arrive, and keeps the date of answers."""
        while True:
            await asyncio.sleep(EDGE.sweep_seconds)
            now = asyncio.get_running_loop().time()
            for connection in self._connections():
                connection.sweep(now)
            self._tick()

    def _tick(self) -> None:
        self._state.default_headers = [(b"date", formatdate(usegmt=True).encode())]


class _Connection(HttpProtocol):
    """A connection that has a place.

    Args:
        on_end: called once it has ended.
    """

    def __init__(self, on_end: Callable[[_Connection], None], shared: Shared) -> None:
        super().__init__(shared)
        self._on_end = on_end
        self._ended = False

    def give_up(self) -> None:
        """Ends it, also before it has begun."""
        self._ended = True
        if self.is_open:
            self.transport.abort()

    def connection_made(self, transport: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Called once, at the start of a connection."""
        super().connection_made(transport)
        if self._ended:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called once, at the end of the connection."""
        super().connection_lost(exc)
        self._on_end(self)


class _Closing(asyncio.Protocol):
    """A connection too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()

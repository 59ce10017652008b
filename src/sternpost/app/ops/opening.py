"""Makes the ops port, for a process that serves alone or for a supervisor."""

from __future__ import annotations

import socket

from sternpost.app.frames import Message
from sternpost.app.ops.fleet import Fleet
from sternpost.app.ops.limits import LimitPages
from sternpost.app.ops.log import LogPages
from sternpost.app.ops.metrics import MetricPages
from sternpost.app.ops.pages import OpsPages
from sternpost.app.ops.port import OpsPort
from sternpost.clock import Clock, SystemClock
from sternpost.settings import Settings
from sternpost.telemetry.events import OpsPortOpened
from sternpost.telemetry.telemetry import Telemetry


class Ops:
    """The port, and what it keeps.

    Args:
        listener: bound to the address of the port.
        fleet: the processes that serve.
    """

    def __init__(
        self,
        listener: socket.socket,
        settings: Settings,
        fleet: Fleet,
        telemetry: Telemetry,
        clock: Clock | None = None,
    ) -> None:
        assert settings.ops_token is not None, "without a token there is no port"
        clock = clock or SystemClock()
        self._limits = LimitPages(fleet, telemetry, clock)
        self._levels = LogPages(fleet, telemetry, clock)
        self._metrics = MetricPages(fleet)
        pages = {**self._limits.pages(), **self._levels.pages(), **self._metrics.pages()}
        answers = OpsPages(pages, settings.ops_token.get_secret_value(), telemetry, clock)
        self._port = OpsPort(listener, answers)
        self._telemetry = telemetry
        self._host = settings.ops_host

    async def open(self) -> None:
        """Answers requests from now on."""
        await self._port.start()
        self._telemetry.tell(OpsPortOpened(host=self._host, port=self._port.port))

    async def close(self) -> None:
        """Closes the port."""
        self._levels.close()
        await self._port.close()

    def replay(self) -> Message:
        """What a process is told that begins to serve, or that has missed something: all that holds, in one message. It
        is kept as a whole for a process that does not read yet, and takes effect as a whole."""
        return {"do": "replay", "overrides": self._limits.held(), "log": self._levels.held()}

    def told(self, pid: int, message: Message) -> None:
        """What a process says that was not asked."""
        if message.get("do") == "metrics":
            self._metrics.told(pid, message["snapshot"])

    def ended(self, pid: int) -> None:
        """A process has ended, and has said all that it will say."""
        self._metrics.ended(pid)

"""A served application that a test starts, kills and starts again at the same address, with everything that it started."""

from __future__ import annotations

import http.client
import os
import signal
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.faults.ledger import token
from tests.support.postgres import free_port
from tests.support.server import Process, environment, running, send
from tests.support.supervised import SUPERVISOR_READY, children

BOOK = "tests.faults.book_service:app"
PLANTED = "tests.faults.plant:app"
PLANT = "FAULTS_PLANT"


class Service:
    """`sternpost serve` on a port that stays the same. Use it in a `with` block: it is started, and ended, by it.

    Args:
        database_url: of a database, in which the first start creates the schema.
        folder: it runs in.
        workers: more than one run under the supervisor.
        plant: the bugs to plant; see `tests/faults/plant.py`.
        app: the application, where none is planted.
        fresh: started anew, and not forked: a fork ends by itself after a quarter of an hour.
    """

    def __init__(
        self,
        database_url: str,
        folder: Path,
        *,
        workers: int = 1,
        plant: str = "",
        app: str = BOOK,
        options: tuple[str, ...] = ("--create-schema",),
        fresh: bool = False,
        **env: str,
    ) -> None:
        self.database_url, self.folder, self.workers, self.options = database_url, folder, workers, options
        self.app = PLANTED if plant else app
        self.fresh = fresh
        self.port = free_port()
        self.environment = environment(
            STERNPOST_DATABASE_URL=database_url, STERNPOST_PORT=str(self.port), **{PLANT: plant}, **env
        )
        self._stack = ExitStack()
        self.server: Process | None = None
        self.lines: list[str] = []
        """What all that it started has printed."""

    def __enter__(self) -> Service:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def process(self) -> Process:
        assert self.server is not None, "it is not started"
        return self.server

    def start(self) -> None:
        """Starts it, and waits until it is ready."""
        command = ["-m", "sternpost", "serve", self.app, *self.options]
        if self.workers == 1:
            started = running(command, self.environment, self.folder, fresh=self.fresh)
        else:
            command += ["--workers", str(self.workers)]
            started = running(command, self.environment, self.folder, SUPERVISOR_READY, fresh=self.fresh)
        self.server = self._stack.enter_context(started)

    def kill(self) -> None:
        """SIGKILL to all its processes at once, so that none of them finishes anything for another one."""
        if self.server is None:
            return
        pid = self.server.process.pid
        if self.server.process.poll() is None:
            self.server.process.send_signal(signal.SIGSTOP)  # it replaces no worker meanwhile
            for found in [*children(pid), pid]:
                os.kill(found, signal.SIGKILL)
        self._ended()

    def ask(self, method: str, path: str, body: Any = None, subject: str | None = None) -> tuple[int, Any]:
        """One request on a connection of its own; by an anonymous caller, or by one with a token."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            return send(connection, method, path, body, token(subject) if subject else None)
        finally:
            connection.close()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        status = self.process.stop()
        self._ended()
        return status

    def _ended(self) -> None:
        server, self.server = self.server, None
        self._stack.close()
        if server is not None:
            self.lines += server.lines

"""The connections to one SQLite file: the writer's, the event loop's own, and one for each reader thread."""

from __future__ import annotations

import sqlite3
import threading
from functools import partial
from pathlib import Path

from sternpost.errors import Unavailable
from sternpost.plan.model import Plan
from sternpost.storage.sqlite.failures import guarded

INLINE_STEPS = 5_000
INLINE_TURNS = 8
"""A list is read in the event loop as long as that takes SQLite fewer than about 40,000 steps: a millisecond or two."""

_PRAGMAS = (
    "PRAGMA foreign_keys = ON",
    "PRAGMA synchronous = FULL",  # NORMAL loses acknowledged writes when the power fails
    # The audit trail's triggers, and conditions and indexes of another program's tables, call JSON functions, or write
    # to virtual tables. SQLite up to 3.40 takes those for unsafe, and would refuse whatever needs them.
    "PRAGMA trusted_schema = ON",
    "PRAGMA temp_store = MEMORY",
)


any_text = partial(str, encoding="utf-8", errors="surrogateescape")
"""A text of another program, whatever its bytes: those that are no UTF-8 stay as lone surrogates (PEP 383), so that one
such value is told apart, and does not stop the statement."""


class Connections:
    """Opens and closes them.

    Attributes:
        writer: None where nothing may be written, or the file cannot be opened.
        inline: for reads in the event loop.
        file: which file they are on, by device and number.
        budget: how long a statement of `inline` may take.
    """

    def __init__(self, path: Path, plan: Plan, *, timeout_seconds: float) -> None:
        self.path = path
        self.timeout_seconds = timeout_seconds
        self.writer: sqlite3.Connection | None = None
        self.inline: sqlite3.Connection | None = None
        self.file: tuple[int, int] | None = None
        self.budget = Budget()
        self._external = plan.external
        self._reads_only = plan.only_reads
        self._local = threading.local()
        self._of_threads: list[sqlite3.Connection] = []

    def connect(self) -> None:
        """Opens the connections of the event loop. Raises `sqlite3.Error`."""
        if self._external:  # the journal mode of an external file is not changed
            self.writer = None if self._reads_only else self.new(busy_ms=0)
        else:
            self.writer = self.new(busy_ms=0)
            self.writer.execute("PRAGMA journal_mode = WAL")
        self.inline = self.new(busy_ms=0, reads_only=True)
        self.inline.set_progress_handler(self.budget.spent, INLINE_STEPS)
        self.file = self._identity()

    def new(self, *, busy_ms: int, reads_only: bool = False) -> sqlite3.Connection:
        """A new connection. Raises `sqlite3.Error`."""
        if not self.path.parent.is_dir():
            raise sqlite3.OperationalError("unable to open database file")
        pragmas = [f"PRAGMA busy_timeout = {busy_ms}", *_PRAGMAS]
        return prepared(self._open(reads_only=reads_only), *pragmas, f"PRAGMA query_only = {int(reads_only)}")

    def _open(self, *, reads_only: bool) -> sqlite3.Connection:
        external = self._external
        # a file that was there before is not made anew: it may come back, and would not be missed
        known = external or self.file is not None
        mode = "?mode=ro" if external and reads_only else "?mode=rw" if known else ""
        connection = sqlite3.connect(
            self.path.absolute().as_uri() + mode if known else self.path,
            uri=known,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=512,
        )
        if external:
            connection.text_factory = any_text
        return connection

    def connected(self, connection: sqlite3.Connection | None) -> sqlite3.Connection:
        """The connection. Raises `Unavailable` where the file could not be opened."""
        if connection is None:
            raise Unavailable(log={"reason": f"the SQLite file cannot be opened: {self.path}"})
        return connection

    def _identity(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return (status.st_dev, status.st_ino)

    def reconnect_if_replaced(self, *, writing: bool) -> None:
        """Detects a file that was moved or replaced, because further writes would go into a deleted file."""
        identity = self._identity()
        if identity is not None and identity == self.file and self.inline is not None:
            return
        if writing:
            raise Unavailable(log={"reason": "the SQLite file was replaced during a write"})
        if identity is None and self.file is not None:
            self.disconnect()
            raise Unavailable(log={"reason": f"the SQLite file no longer exists: {self.path}"})
        self.disconnect()
        guarded(self.connect)

    def disconnect(self) -> None:
        """Closes the connections of the event loop."""
        for connection in (self.writer, self.inline):
            if connection is not None:
                connection.close()
        self.writer = self.inline = None
        self._local = threading.local()  # reader threads open new ones
        # One of them may be reading just now: they are closed with the storage.

    def close(self) -> None:
        """Closes every connection; no thread may read any more."""
        for connection in self._of_threads:
            connection.close()
        self.disconnect()

    def of_thread(self) -> sqlite3.Connection:
        """The connection of the reader thread that asks."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            if self.file is None:
                raise Unavailable(log={"reason": f"the SQLite file cannot be opened: {self.path}"})
            connection = self._local.connection = self.new(busy_ms=int(self.timeout_seconds * 1000), reads_only=True)
            self._of_threads.append(connection)
        return connection


def prepared(connection: sqlite3.Connection, *pragmas: str) -> sqlite3.Connection:
    """A new connection with its settings; closed where one of them fails, as on a file that is no database."""
    try:
        for pragma in pragmas:
            connection.execute(pragma)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class Budget:
    """How long a statement may hold the event loop; SQLite asks now and then."""

    __slots__ = ("turns",)

    def __init__(self, turns: int = -1) -> None:
        self.turns = turns
        """How often it may ask; a negative number sets no limit."""

    def spent(self) -> bool:
        """Whether to interrupt the statement."""
        self.turns -= 1
        return self.turns == 0

"""PgBouncer in transaction mode before a PostgreSQL server, for tests; installed with apt where that is allowed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.postgres import free_port, unprivileged, wait_for_answer

SERVER_CONNECTIONS = 3
"""Fewer than a pool of ours holds, so that every transaction may meet another server connection."""


class NoPgbouncer(Exception):
    """There is no PgBouncer, and it could not be installed; the message says what was tried."""


class Pgbouncer:
    """A running PgBouncer, started again when it ends by itself, as an init system does it.

    PgBouncer before 1.19 ends with "server in bad state" when clients cancel statements under load
    (https://github.com/pgbouncer/pgbouncer/issues/822).

    Attributes:
        address: without a database's name.
        crashes: what it said each time it ended by itself.
    """

    def __init__(self, command: list[str | Path], user: str | None, log: Path, address: str) -> None:
        self.address = address
        self.crashes: list[str] = []
        self._command, self._user, self._log = command, user, log
        self._stopping = threading.Event()
        self._process = self._start()
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            return subprocess.Popen(self._command, user=self._user, cwd="/", stdout=log, stderr=log)

    def _watch(self) -> None:
        while True:
            self._process.wait()
            if self._stopping.is_set():
                return
            said = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
            self.crashes.append(next((line for line in reversed(said) if "FATAL" in line), "\n".join(said[-3:])))
            self._process = self._start()

    def stop(self) -> None:
        """Ends it."""
        self._stopping.set()
        while self._watching.is_alive():  # it may be starting one anew
            self._process.send_signal(signal.SIGTERM)
            self._watching.join(0.1)


@contextmanager
def pgbouncer(url: str) -> Iterator[Pgbouncer]:
    """A PgBouncer before the server at `url`."""
    binary = _binary()
    parts = urlsplit(url)
    folder = Path(tempfile.mkdtemp(prefix="sternpost-pgbouncer-"))
    port = free_port()
    user = unprivileged()
    password = f" password={parts.password}" if parts.password else ""
    (folder / "pgbouncer.ini").write_text(
        "[databases]\n"
        f"* = host={parts.hostname} port={parts.port or 5432} user={parts.username}{password}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {SERVER_CONNECTIONS}\nmax_client_conn = 200\n"
        "server_idle_timeout = 1\n",
        encoding="utf-8",
    )
    if user is not None:
        for path in (folder, folder / "pgbouncer.ini"):
            shutil.chown(path, user)
    address = f"postgresql://{parts.username}@127.0.0.1:{port}"
    running = Pgbouncer([binary, folder / "pgbouncer.ini"], user, folder / "log", address)
    try:
        wait_for_answer(f"{address}/postgres", running.stop)
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _binary() -> str:
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    if found is not None:
        return found
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoPgbouncer("it is not installed, and apt-get cannot install it here")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", "pgbouncer"]):
        subprocess.run(["apt-get", *command], env=environment, capture_output=True, check=False)
    found = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if found is None:
        raise NoPgbouncer("it is not installed, and apt-get could not install it")
    return found

"""PgBouncer in transaction mode before a PostgreSQL server, for tests; installed with apt where that is allowed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.postgres import free_port, unprivileged, wait_for_answer

SERVER_CONNECTIONS = 3
"""Fewer than a pool of ours holds, so that every transaction may meet another server connection."""


class NoPgbouncer(Exception):
    """There is no PgBouncer, and it could not be installed; the message says what was tried."""


@contextmanager
def pgbouncer(url: str) -> Iterator[str]:
    """The address of a PgBouncer before the server at `url`, without a database's name."""
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
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([binary, folder / "pgbouncer.ini"], user=user, cwd="/", stdout=log, stderr=log)
    try:
        address = f"postgresql://{parts.username}@127.0.0.1:{port}"
        wait_for_answer(f"{address}/postgres", process.kill)
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
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

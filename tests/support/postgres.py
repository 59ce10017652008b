"""Finds a PostgreSQL server for tests, or starts a private one.

In this order: `STERNPOST_TEST_POSTGRES_URL`; a private server from installed binaries; the local server on 5432 (user
and database postgres); a private one after installing it with apt, where that is allowed; docker compose. A private
server does without what makes data outlive a crash of the machine, which its data never has to.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import asyncpg

DEFAULT_URL = "postgresql://postgres@127.0.0.1:5432/postgres"
COMPOSE = Path(__file__).with_name("compose.yaml")
START_SECONDS = 60
NOT_DURABLE = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


class NoPostgres(Exception):
    """There is no PostgreSQL, and none could be started; the message says what was tried."""


@contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a server's maintenance database; a server that was started here ends with the block."""
    tried = []
    if given := os.environ.get("STERNPOST_TEST_POSTGRES_URL"):
        if answers(given):
            yield given
            return
        tried.append(f"no answer at {given.rpartition('@')[2]}")
    for start in (_private, _local, _after_apt, _compose):
        try:
            url, stop = start()
        except NoPostgres as error:
            tried.append(str(error))
            continue
        try:
            yield url
        finally:
            stop()
        return
    raise NoPostgres("; ".join(tried))


def answers(url: str) -> bool:
    """Whether a server answers there."""
    return _answer(url) is None


def _answer(url: str) -> Exception | None:
    async def connect() -> None:
        try:
            connection = await asyncpg.connect(url, timeout=5)
            await connection.close()
        finally:
            await asyncio.sleep(
                0
            )  # the loop ends with this: the socket of a connection that was refused is closed before

    try:
        with ThreadPoolExecutor(1) as thread:  # pytest may be inside an event loop already
            thread.submit(lambda: asyncio.run(connect())).result()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return error
    return None


class PrivateServer:
    """A server of its own, from installed binaries, that can be stopped and started. Use it in a `with` block.

    Args:
        primary: a running server to be a streaming replica of.
        durable: whether what it has committed outlives a crash of the machine; without, it is faster.

    Raises:
        NoPostgres: no binaries are installed, or it does not start.
    """

    def __init__(self, primary: PrivateServer | None = None, *, durable: bool = True) -> None:
        initdb, server = _binary("initdb"), _binary("postgres")
        if initdb is None or server is None:
            raise NoPostgres("no PostgreSQL binaries are installed")
        self.binary = server
        self.options = ["listen_addresses=127.0.0.1", "max_connections=200", *(() if durable else NOT_DURABLE)]
        self.user = unprivileged()
        self.folder = Path(tempfile.mkdtemp(prefix="sternpost-postgres-"))
        if self.user is not None:
            shutil.chown(self.folder, self.user)
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"
        if primary is None:
            options = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
            self._run(initdb, "-D", self.folder / "data", *options)
        else:
            source = ["-h", "127.0.0.1", "-p", str(primary.port), "-U", "postgres"]
            options = ["-R", "-X", "stream", "-c", "fast", "--no-sync"]
            self._run(Path(server).with_name("pg_basebackup"), "-D", self.folder / "data", *source, *options)
        self.process: subprocess.Popen[bytes] | None = None

    def _run(self, *command: str | Path) -> None:
        made = subprocess.run(command, user=self.user, cwd="/", capture_output=True, check=False)
        if made.returncode != 0:
            raise NoPostgres(f"{Path(command[0]).name} failed: {made.stderr.decode(errors='replace')[-300:]}")

    def __enter__(self) -> PrivateServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Starts it and waits until it answers."""
        options = ["-k", self.folder, *(part for option in self.options for part in ("-c", option))]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "-D", self.folder / "data", "-p", str(self.port), *options],
                user=self.user,
                cwd="/",
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, which stop it when they have ended
            )
        wait_for_answer(self.url, self.close)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ends it; SIGINT cuts its connections (PostgreSQL's fast shutdown), SIGQUIT writes nothing (immediate)."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=30)
            self.process = None

    def kill(self) -> None:
        """SIGKILL to all its processes: what it has not written to its files is gone, and nothing is tidied up."""
        assert self.process is not None
        pid = self.process.pid
        self.process.send_signal(signal.SIGSTOP)  # it starts no process meanwhile
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
        for each in [*map(int, found), pid]:
            os.kill(each, signal.SIGKILL)
        self.process.wait(timeout=30)
        self.process = None

    def close(self) -> None:
        self.stop(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)


def _private() -> tuple[str, Callable[[], None]]:
    server = PrivateServer(durable=False)
    server.start()
    return server.url, server.close


def _local() -> tuple[str, Callable[[], None]]:
    if not answers(DEFAULT_URL):
        raise NoPostgres(f"no answer at {DEFAULT_URL.rpartition('@')[2]}")
    return DEFAULT_URL, lambda: None


def _after_apt() -> tuple[str, Callable[[], None]]:
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoPostgres("apt-get cannot install it here")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], env=environment, capture_output=True, check=False)
    done = subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "postgresql"],
        env=environment,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise NoPostgres("apt-get could not install it")
    return _private()


def _compose() -> tuple[str, Callable[[], None]]:
    if shutil.which("docker") is None:
        raise NoPostgres("docker is not installed")
    command = ["docker", "compose", "-f", str(COMPOSE), "-p", "sternpost-tests"]
    port = free_port()
    done = subprocess.run(
        [*command, "up", "-d", "--wait"],
        env={**os.environ, "POSTGRES_PORT": str(port)},
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise NoPostgres("docker compose could not start it")

    def stop() -> None:
        subprocess.run([*command, "down", "-v"], capture_output=True, check=False)

    return wait_for_answer(f"postgresql://postgres@127.0.0.1:{port}/postgres", stop), stop


def wait_for_answer(url: str, stop: Callable[[], None]) -> str:
    deadline = time.monotonic() + START_SECONDS
    while (problem := _answer(url)) is not None:
        if time.monotonic() > deadline:
            stop()
            raise NoPostgres(f"the server that was started does not answer: {problem}")
        time.sleep(0.02)
    return url


def _binary(name: str) -> str | None:
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / name).is_file():
            return str(folder / name)
    return shutil.which(name)


def has_binaries() -> bool:
    """Whether a private server can be made."""
    return _binary("initdb") is not None and _binary("postgres") is not None


def unprivileged() -> str | None:
    """PostgreSQL refuses to run as root: the account to use instead."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise NoPostgres("there is no account but root to run it as")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

"""Runs `python -m sternpost …` in a process of its own, forked from one that has imported the libraries already.

A command spends most of its time on imports, and so does the start of a service. A fork is as separate as a process that
was started: its own memory, folder, environment and streams, and nothing of it outlives SIGKILL. Modules that look at the
environment when they are imported (those of the command line and the settings) are imported in the fork, as the
application's own module is.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

TIMEOUT_SECONDS = 60
SERVING_SECONDS = 900
"""After which a fork ends by itself, whatever has become of the tests: of a command, and of a service."""

MESSAGE_BYTES_MAX = 100_000
_SERVERS: dict[int, tuple[subprocess.Popen[bytes], socket.socket]] = {}
"""By process: each worker of the suite has its own."""

PRELOADED = (
    "alembic.migration",
    "alembic.operations",
    "alembic.script",
    "asyncpg",
    "httptools",
    "jsonschema",
    "jsonschema_path",
    "jwt",
    "openapi_schema_validator",
    "pydantic",
    "rich.console",
    "rich.markup",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.postgresql",
    "sqlalchemy.dialects.sqlite",
    "sqlalchemy.ext.asyncio",
    "sternpost",
    "sternpost.app.application",
    "sternpost.app.loading",
    "sternpost.app.migrating",
    "sternpost.app.server",
    "sternpost.derive.diff",
    "sternpost.derive.openapi",
    "sternpost.gates.gate",
    "sternpost.migrations.planner",
    "sternpost.migrations.runner",
    "sternpost.migrations.verify",
    "sternpost.protocols.rest.rest",
    "sternpost.storage.postgresql.database",
    "sternpost.storage.sqlite.database",
    "typer.core",
    "typer.rich_utils",
    "uuid_utils",
    "uvicorn.protocols.http.httptools_impl",
)


class Forked:
    """A process that was forked, with as much of `subprocess.Popen` as tests use.

    Args:
        status: tells its id, and the status it ended with.
        stdout: what it prints, where somebody reads it.
    """

    def __init__(self, status: BinaryIO, stdout: BinaryIO | None) -> None:
        self.pid = int(status.readline())
        self.stdout = stdout
        self.returncode: int | None = None
        self._status = status

    def poll(self) -> int | None:
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        status = self._ended(timeout)
        if status is None:
            raise subprocess.TimeoutExpired("sternpost", timeout or 0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and nobody has told yet
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ended(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._status], [], [], seconds)[0]:
            self.returncode = int(self._status.readline())
            self._status.close()
        return self.returncode


def start(
    arguments: Sequence[str],
    folder: str | Path,
    environment: Mapping[str, str],
    out: int,
    errors: int,
    *,
    stdout: BinaryIO | None = None,
    seconds: int = SERVING_SECONDS,
) -> Forked:
    """`python -m sternpost` with these arguments; it prints to the descriptors `out` and `errors`."""
    known = _SERVERS.get(os.getpid())
    if known is None or known[0].poll() is not None:
        known = _SERVERS[os.getpid()] = _start()
    message = pickle.dumps((list(arguments), str(folder), dict(environment), seconds))
    assert len(message) <= MESSAGE_BYTES_MAX
    reading, writing = os.pipe()
    try:
        socket.send_fds(known[1], [message], [out, errors, writing])
    finally:
        os.close(writing)
    return Forked(os.fdopen(reading, "rb", buffering=0), stdout)


def run(
    arguments: Sequence[str], folder: str | Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """`python -m sternpost` with these arguments, as `subprocess.run` with `capture_output` gives it."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        streams = out.fileno(), errors.fileno()
        status = start(arguments, folder, environment, *streams, seconds=TIMEOUT_SECONDS).wait()
        texts = []
        for stream in (out, errors):
            stream.seek(0)
            texts.append(stream.read().decode())
    return subprocess.CompletedProcess(["sternpost", *arguments], status, *texts)


def _start() -> tuple[subprocess.Popen[bytes], socket.socket]:
    root = Path(__file__).parents[2]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("STERNPOST_", "COV"))}
    own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = subprocess.Popen([sys.executable, "-m", "tests.support.forks"], cwd=root, env=environment, stdin=other)
    other.close()
    atexit.register(_stop, server, own)
    return server, own


def _stop(server: subprocess.Popen[bytes], link: socket.socket) -> None:
    link.close()  # which ends it, and its forks with it
    server.wait(20)


def serve() -> None:
    """Forks for each request, and tells how each fork ended, until there are no more requests."""
    link = socket.socket(fileno=os.dup(0))
    for name in PRELOADED:
        __import__(name)
    gc.freeze()  # the forks' collections leave alone, and so do not copy, what is there by now
    forked: dict[int, tuple[int, int]] = {}
    while True:
        for ready in select.select([link, *forked], [], [])[0]:
            if ready is not link:
                pid, status = forked.pop(ready)
                _tell(status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                os.close(ready)
                os.close(status)
                continue
            message, descriptors, _, _ = socket.recv_fds(link, MESSAGE_BYTES_MAX, 3)
            if not message:
                for pid, _ in forked.values():
                    os.kill(pid, signal.SIGKILL)  # there at least as a zombie: reaped above alone
                return
            *streams, status = descriptors
            arguments, folder, environment, seconds = pickle.loads(message)
            child = os.fork()
            if child == 0:
                for descriptor in (link.fileno(), status, *forked, *(kept for _, kept in forked.values())):
                    os.close(descriptor)
                become(arguments, folder, environment, streams, seconds)
            for stream in streams:
                os.close(stream)
            _tell(status, child)
            forked[os.pidfd_open(child)] = child, status


def _tell(status: int, number: int) -> None:
    try:
        os.write(status, b"%d\n" % number)
    except BrokenPipeError:  # nobody wants to know
        return


def become(
    arguments: list[str],
    folder: str,
    environment: dict[str, str],
    streams: Sequence[int],
    seconds: int,
) -> Any:
    """The command, in the fork; does not return. It prints to `streams`."""
    import runpy

    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, stream in enumerate(streams, start=1):
            os.dup2(stream, number)
            os.close(stream)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        signal.alarm(seconds)
        sys.path[0] = folder
        sys.path[:] = [*sys.path[:1], *environment.get("PYTHONPATH", "").split(os.pathsep), *sys.path[1:]]
        sys.argv = ["sternpost", *arguments]
        runpy.run_module("sternpost", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
        if isinstance(error.code, str):
            sys.stderr.write(f"{error.code}\n")
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


if __name__ == "__main__":
    serve()

"""Runs `python -m sternpost …` in a process of its own, forked from one that has imported the libraries already.

A command spends most of its time on imports. A fork is as separate as a process that was started: its own memory, folder,
environment and streams. Modules that look at the environment when they are imported (those of the command line) are
imported in the fork.
"""

from __future__ import annotations

import atexit
import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 60
_SERVERS: dict[int, subprocess.Popen[bytes]] = {}
"""By process: each worker of the suite has its own."""

PRELOADED = (
    "alembic.migration",
    "alembic.operations",
    "alembic.script",
    "asyncpg",
    "jwt",
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
    "sternpost.derive.diff",
    "sternpost.derive.openapi",
    "sternpost.migrations.planner",
    "sternpost.migrations.runner",
    "sternpost.migrations.verify",
    "sternpost.storage.postgresql.database",
    "sternpost.storage.sqlite.database",
    "typer.core",
    "typer.rich_utils",
    "uuid_utils",
)


def run(
    arguments: Sequence[str], folder: str | Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """`python -m sternpost` with these arguments, as `subprocess.run` with `capture_output` gives it."""
    server = _SERVERS.get(os.getpid())
    if server is None or server.poll() is not None:
        server = _SERVERS[os.getpid()] = _start()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as errors:
        paths = [out.name, errors.name]
        pickle.dump((list(arguments), str(folder), dict(environment), paths), server.stdin)
        server.stdin.flush()
        status: int = pickle.load(server.stdout)
        texts = []
        for stream in (out, errors):
            stream.seek(0)
            texts.append(stream.read().decode())
    return subprocess.CompletedProcess(["sternpost", *arguments], status, *texts)


def _start() -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("STERNPOST_", "COV"))}
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.support.forks"],
        cwd=root,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    atexit.register(_stop, server)
    return server


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.stdin is not None:
        server.stdin.close()  # which ends it
    server.wait(10)
    if server.stdout is not None:
        server.stdout.close()


def serve() -> None:
    """Forks for each request, one after the other, until its input ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    for name in PRELOADED:
        __import__(name)
    while True:
        try:
            arguments, folder, environment, paths = pickle.load(requests)
        except EOFError:
            return
        child = os.fork()
        if child == 0:
            _become(arguments, folder, environment, paths)
        _, status = os.waitpid(child, 0)
        pickle.dump(os.waitstatus_to_exitcode(status), answers)
        answers.flush()


def _become(arguments: list[str], folder: str, environment: dict[str, str], paths: list[str]) -> Any:
    """The command, in the fork; does not return."""
    import runpy

    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, path in enumerate(paths, start=1):
            os.dup2(os.open(path, os.O_WRONLY), number)
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        signal.alarm(TIMEOUT_SECONDS)
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

"""Who is measured: how each is installed, started, and what its ids look like."""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cpu import cpu_seconds
from sternpost.auth.jwt import make_token

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"
HOME = ROOT / ".bench"
"""What is installed and written on demand; ignored by git."""

SECRET = "bench-only-0b8e6f1d7c2a49350e7d1c6b8a2f4e93"  # noqa: S105  (it protects generated data)
TOKENS = 100
POOL_SIZE = 10
"""Connections to PostgreSQL a worker: the default of Sternpost and of pg; the others are set to it."""

START_SECONDS_MAX = 30.0
LOCALHOST = "127.0.0.1"


class StackError(Exception):
    """A stack cannot be installed, or does not start; the message has what it said."""


@dataclass(frozen=True)
class Stack:
    """One server that is measured.

    Attributes:
        baseline: every ratio is to the stack for which this is true.
        peer: its folder below `benchmarks/peers`; None for Sternpost.
        folder: the source tree that Sternpost runs from; not used for peers.
        databases: the kinds it can be measured on.
        command: from the folder where it is installed, the port and the workers, what to run.
    """

    name: str
    title: str
    id_style: str
    databases: tuple[str, ...]
    command: Callable[[Path, int, int], list[str]]
    environment: Mapping[str, str]
    peer: str | None = None
    hardened: bool = False
    baseline: bool = False
    folder: Path = ROOT

    @property
    def home(self) -> Path:
        """Where it runs: its installed copy."""
        return HOME / "peers" / self.peer if self.peer else self.folder

    def install(self) -> None:
        """Puts the peer's sources and its locked dependencies into `.bench/`; does nothing when they are there already."""
        if self.peer is not None:
            install(self.peer)

    def variables(self, url: str, port: int) -> dict[str, str]:
        """The whole environment of its process."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("STERNPOST_", "PYTHON"))}
        common = {"PORT": str(port), "DATABASE_URL": url, "JWT_SECRET": SECRET, "POOL_SIZE": str(POOL_SIZE)}
        own = {name: value.format(url=url, port=port) for name, value in self.environment.items()}
        return {**kept, **common, "HARDENED": "1" if self.hardened else "0", **own}


def sternpost_command(home: Path, port: int, workers: int) -> list[str]:
    """As a user starts it."""
    return serve_command("shop.app:app", port, workers)


def serve_command(application: str, port: int, workers: int) -> list[str]:
    """`sternpost serve` for any application."""
    more = ["--workers", str(workers)] if workers > 1 else []
    return [sys.executable, "-m", "sternpost", "serve", application, "--port", str(port), *more]


def node_command(home: Path, port: int, workers: int) -> list[str]:
    """One process of the peer in Node.js."""
    return ["node", "server.js"]


def uvicorn_command(home: Path, port: int, workers: int) -> list[str]:
    """With the faster loop and parser, as uvicorn's documentation recommends (`uvicorn[standard]`)."""
    options = ["--host", LOCALHOST, "--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    return [str(home / ".venv/bin/uvicorn"), "app:app", "--log-level", "warning", "--workers", str(workers), *options]


BOTH = ("postgresql", "sqlite")
NODE = {"NODE_ENV": "production"}
STACKS = (
    Stack(
        "sternpost",
        "Sternpost",
        "prefixed",
        BOTH,
        sternpost_command,
        {
            "PYTHONPATH": str(ROOT / "examples/shop"),
            "STERNPOST_ENV": "production",
            "STERNPOST_DATABASE_URL": "{url}",
            "STERNPOST_JWT_SECRET": SECRET,
            "STERNPOST_DATABASE_POOL_SIZE": str(POOL_SIZE),
        },
        hardened=True,
    ),
    Stack("fastify-bare", "Fastify, bare", "uuid", BOTH, node_command, NODE, "fastify", baseline=True),
    Stack("fastify-hardened", "Fastify, hardened", "uuid", BOTH, node_command, NODE, "fastify", hardened=True),
    Stack("fastapi-bare", "FastAPI, bare", "uuid", BOTH, uvicorn_command, {}, "fastapi"),
    Stack("fastapi-hardened", "FastAPI, hardened", "uuid", BOTH, uvicorn_command, {}, "fastapi", hardened=True),
    Stack("litestar-hardened", "Litestar, hardened", "uuid", BOTH, uvicorn_command, {}, "litestar", hardened=True),
)


def tokens() -> list[str]:
    """Tokens of a hundred users, valid for a day, that every stack accepts."""
    now = int(time.time())
    return [
        make_token(SECRET, subject=f"usr_{number:032x}", scopes=["users:read"], issued=now, expires=now + 86_400)
        for number in range(TOKENS)
    ]


@dataclass(frozen=True)
class Server:
    """A running stack.

    Attributes:
        start_seconds: from starting its process until it answered.
        start_cpu_seconds: what it used for that; on a busy machine the truer figure.
        log: the file that its output goes to.
    """

    stack: Stack
    process: subprocess.Popen[bytes]
    port: int
    start_seconds: float
    start_cpu_seconds: float
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def serving(stack: Stack, url: str, *, workers: int = 1) -> Generator[Server]:
    """Starts a stack on a database and waits until it answers; what it prints goes to a file below `.bench/logs`."""
    port = free_port()
    logs = HOME / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log_path = logs / f"{stack.name}.log"
    command = stack.command(stack.home, port, workers)
    started = time.perf_counter()
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=stack.home, env=stack.variables(url, port), stdout=log, stderr=subprocess.STDOUT
        )
    try:
        await_answer(process, port, log_path)
        yield Server(stack, process, port, time.perf_counter() - started, cpu_seconds(process.pid), log_path)
    finally:
        stop(process)


def await_answer(process: subprocess.Popen[bytes], port: int, log_path: Path) -> None:
    """Waits until any path is answered.

    Raises:
        StackError: the process ended, or did not answer in time.
    """
    deadline = time.perf_counter() + START_SECONDS_MAX
    while time.perf_counter() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection(LOCALHOST, port, timeout=5)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
            return
        except (OSError, http.client.HTTPException):
            time.sleep(0.005)
        finally:
            connection.close()
    raise StackError(f"{process.args} did not start:\n{log_path.read_text(errors='replace')[-2000:]}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends it politely, and without that after ten seconds."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        return probe.getsockname()[1]


def install(peer: str) -> None:
    """Copies a peer to `.bench/peers` and installs its lock file there, unless that very lock file is installed."""
    source, home = PEERS / peer, HOME / "peers" / peer
    home.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.is_file():
            shutil.copyfile(file, home / file.name)
    node = (source / "package-lock.json").is_file()
    lock = source / ("package-lock.json" if node else "uv.lock")
    digest, stamp = hashlib.sha256(lock.read_bytes()).hexdigest(), home / ".installed"
    if stamp.is_file() and stamp.read_text() == digest:
        return
    if node:
        run(["npm", "ci", "--no-audit", "--no-fund"], home, "Node.js 20 or newer with npm is needed")
    else:
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") or "uv"
        run([uv, "sync", "--locked", "--python", sys.executable], home, "uv is needed (make installs it)")
    stamp.write_text(digest)


def run(command: list[str], folder: Path, needs: str) -> None:
    """Runs an installer; what it says is shown when it fails."""
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder / ".venv")}
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise StackError(f"{command[0]} was not found: {needs}") from error
    if done.returncode != 0:
        raise StackError(f"{' '.join(command)} failed in {folder}:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")

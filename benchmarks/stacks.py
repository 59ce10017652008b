"""Who is measured: how each is installed, started, and what its ids look like."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cpu import cpu_seconds
from benchmarks.installing import HOME, PEERS, ROOT, StackError, install
from benchmarks.sink import Sink, open_sink
from benchmarks.workloads import ORIGIN
from sternpost.auth.jwt import make_token

__all__ = ["HOME", "PEERS", "ROOT", "StackError"]

SECRET = "bench-only-0b8e6f1d7c2a49350e7d1c6b8a2f4e93"  # noqa: S105  (it protects generated data)
TOKENS = 100
POOL_SIZE = 10
"""Connections to PostgreSQL a worker: the default of Sternpost and of pg; the others are set to it."""

START_SECONDS_MAX = 30.0
FOREIGN = ("STERNPOST_", "PYTHON", "OTEL_")
"""Variables of whoever runs the benchmark that are kept from the servers, by how they begin."""

TRACES = {
    "OTEL_SERVICE_NAME": "shop",
    "OTEL_TRACES_SAMPLER": "always_on",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_LOGS_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
    "OTEL_BSP_MAX_QUEUE_SIZE": "65536",
}
"""The same for everybody who sends spans: all requests, spans alone. With the default queue of 2,048 spans a busy
server would drop most of them, and so save their encoding."""

OPS_TOKEN = "bench-only-ops-5f2a9c1e8b7d40360c4b6e2d"  # noqa: S105  (it opens a port on the loopback address)
LOCALHOST = "127.0.0.1"


@dataclass(frozen=True)
class Stack:
    """One server that is measured.

    Attributes:
        baseline: every ratio is to the stack for which this is true.
        peer: its folder below `benchmarks/peers`; None for Sternpost.
        folder: the source tree that Sternpost runs from; not used for peers.
        databases: the kinds it can be measured on.
        command: from the folder where it is installed, the port and the workers, what to run.
        exports: whether it sends a span of each request; it is then started with a sink for them.
        once: measured in the first round only, because it is slow.
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
    exports: bool = False
    once: bool = False

    @property
    def home(self) -> Path:
        """Where it runs: its installed copy."""
        return HOME / "peers" / self.peer if self.peer else self.folder

    def install(self) -> None:
        """Puts the peer's sources and its locked dependencies into `.bench/`; does nothing when they are there already."""
        if self.peer is not None:
            install(self.peer)

    def variables(self, url: str, port: int, sink: Sink | None = None) -> dict[str, str]:
        """The whole environment of its process."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        common = {"PORT": str(port), "DATABASE_URL": url, "JWT_SECRET": SECRET, "POOL_SIZE": str(POOL_SIZE)}
        own = {name: value.format(url=url, port=port) for name, value in self.environment.items()}
        traces = {} if sink is None else {**TRACES, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.endpoint}
        return {**kept, **common, **traces, "HARDENED": "1" if self.hardened else "0", **own}


def sternpost_command(home: Path, port: int, workers: int) -> list[str]:
    """As a user starts it."""
    return serve_command("shop.app:app", port, workers)


def serve_command(application: str, port: int, workers: int) -> list[str]:
    """`sternpost serve` for any application."""
    more = ["--workers", str(workers)] if workers > 1 else []
    return [sys.executable, "-m", "sternpost", "serve", application, "--port", str(port), *more]


def hardened_command(home: Path, port: int, workers: int) -> list[str]:
    """The same, with the users that have a limit."""
    return serve_command("hardened_users:app", port, workers)


def node_command(home: Path, port: int, workers: int) -> list[str]:
    """One process of the peer in Node.js."""
    return ["node", "server.js"]


def nest_command(home: Path, port: int, workers: int) -> list[str]:
    """One process of what was compiled to JavaScript."""
    return ["node", "dist/main.js"]


def go_command(home: Path, port: int, workers: int) -> list[str]:
    """One process; how many of its threads run Go code at a time is in its environment."""
    return [str(home / "server")]


def uvicorn_command(home: Path, port: int, workers: int) -> list[str]:
    """With the faster loop and parser, as uvicorn's documentation recommends (`uvicorn[standard]`)."""
    options = ["--host", LOCALHOST, "--port", str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log"]
    return [str(home / ".venv/bin/uvicorn"), "app:app", "--log-level", "warning", "--workers", str(workers), *options]


BOTH = ("postgresql", "sqlite")
NODE = {"NODE_ENV": "production"}
GO = {"GOMAXPROCS": "1"}
"""One worker: Node.js and Python run their code on one core, too."""

SERVED = {
    "STERNPOST_ENV": "production",
    "STERNPOST_DATABASE_URL": "{url}",
    "STERNPOST_JWT_SECRET": SECRET,
    "STERNPOST_DATABASE_POOL_SIZE": str(POOL_SIZE),
}
METRICS = {"STERNPOST_OPS_TOKEN": OPS_TOKEN, "STERNPOST_OPS_PORT": "0"}
"""Metrics are kept where somebody can read them: on the ops port."""

CORS = {"STERNPOST_CORS_ORIGINS": ORIGIN}
ONE_SPAN = {"STERNPOST_TRACE_STATEMENTS": "false"}
"""Without spans for statements below that of the request, which the peers have none of either."""

OWN, OWN_HARDENED = "sternpost", "sternpost-hardened"
"""Two stacks of Sternpost: the example shop as it is, and the hardened profile."""

STACKS = (
    Stack(
        OWN_HARDENED,
        "Sternpost, hardened",
        "prefixed",
        BOTH,
        hardened_command,
        {**SERVED, **METRICS, **CORS, **ONE_SPAN, "PYTHONPATH": str(ROOT / "benchmarks/applications")},
        hardened=True,
        exports=True,
    ),
    Stack(
        OWN,
        "Sternpost, the shop",
        "prefixed",
        BOTH,
        sternpost_command,
        {**SERVED, "PYTHONPATH": str(ROOT / "examples/shop")},
        hardened=True,
    ),
    Stack("fastify-bare", "Fastify, bare", "uuid", BOTH, node_command, NODE, "fastify", baseline=True),
    Stack(
        "fastify-hardened",
        "Fastify, hardened",
        "uuid",
        BOTH,
        node_command,
        NODE,
        "fastify",
        hardened=True,
        exports=True,
    ),
    Stack("go-bare", "Go, bare", "uuid", ("postgresql",), go_command, GO, "go"),
    Stack(
        "nestjs-hardened",
        "NestJS, hardened",
        "uuid",
        ("postgresql",),
        nest_command,
        NODE,
        "nestjs",
        hardened=True,
        exports=True,
        once=True,
    ),
    Stack("fastapi-bare", "FastAPI, bare", "uuid", BOTH, uvicorn_command, {}, "fastapi"),
    Stack(
        "fastapi-hardened",
        "FastAPI, hardened",
        "uuid",
        BOTH,
        uvicorn_command,
        {},
        "fastapi",
        hardened=True,
        exports=True,
    ),
    Stack(
        "litestar-hardened",
        "Litestar, hardened",
        "uuid",
        BOTH,
        uvicorn_command,
        {},
        "litestar",
        hardened=True,
        exports=True,
    ),
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
        sink: where its spans go; None for a stack that sends none.
    """

    stack: Stack
    process: subprocess.Popen[bytes]
    port: int
    start_seconds: float
    start_cpu_seconds: float
    log: Path
    sink: Sink | None = None

    @property
    def pid(self) -> int:
        return self.process.pid


@contextmanager
def serving(stack: Stack, url: str, *, workers: int = 1) -> Generator[Server]:
    """Starts a stack on a database and waits until it answers; what it prints goes to a file below `.bench/logs`.

    One that sends spans gets a sink of its own, which ends after it: what is sent when it stops is taken, too.
    """
    port = free_port()
    logs = HOME / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    log_path = logs / f"{stack.name}.log"
    command = stack.command(stack.home, port, workers)
    with ExitStack() as opened:
        sink = opened.enter_context(open_sink(logs / f"{stack.name}.spans")) if stack.exports else None
        log = opened.enter_context(log_path.open("wb"))
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=stack.home, env=stack.variables(url, port, sink), stdout=log, stderr=subprocess.STDOUT
        )
        opened.callback(stop, process)
        await_answer(process, port, log_path)
        yield Server(stack, process, port, time.perf_counter() - started, cpu_seconds(process.pid), log_path, sink)


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

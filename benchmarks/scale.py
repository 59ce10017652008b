"""How the cost of a request changes with the number of rows, of resources and of connections."""

from __future__ import annotations

import http.client
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import orjson

from benchmarks.cpu import resident_bytes
from benchmarks.databases import Application, Database
from benchmarks.generated import application
from benchmarks.load import Job, Result
from benchmarks.measure import generate, observed, target_of
from benchmarks.rows import Progress, Size
from benchmarks.stacks import HOME, LOCALHOST, Server, Stack, serve_command, serving
from benchmarks.workloads import PAGE_SIZE

CONNECTIONS = 32
PAGES = 50
"""Pages by cursor that are asked for in turn, at the beginning and deep in the list."""

TURNS = 3
"""How often what is compared takes turns."""

DEEP_ROW = 1_000_000
WALK_PAGE_SIZE = 100
BYTES_A_ROW = 700
"""Room that a user takes with its indexes, generously; nothing is loaded that does not fit on the disk twice."""

OnRow = Callable[[dict[str, Any]], None]


class Scale:
    """Measurements of Sternpost alone; each gives one row of a table.

    Args:
        seconds: of each measurement.
        progress: is told about loading.
    """

    def __init__(self, stack: Stack, tokens: Sequence[str], seconds: float, progress: Progress) -> None:
        self.stack = stack
        self.tokens = tokens
        self.seconds = seconds
        self.progress = progress

    def rows(self, database: Database, counts: Sequence[int], on_row: OnRow) -> None:
        """W1, W2 with 1,000 pending users whatever the size, and pages by cursor at the beginning and deep inside."""
        for count in counts:
            if shutil.disk_usage(HOME).free < count * BYTES_A_ROW * 2:
                on_row({"database": database.name, "rows": count, "W1": "not enough room on the disk"})
                continue
            size = Size(count, 0, min(1000, count // 10))
            url = database.load(size, self.progress)
            with serving(self.stack, url) as server:
                database.settle()
                row: dict[str, Any] = {"database": database.name, "rows": count}
                for workload in ("W1", "W2", "W2p"):
                    row[workload] = figures(self.run(server, database, size, workload))
                row |= self.cursor_pages(server, database, size)
                on_row(row)

    def cursor_pages(self, server: Server, database: Database, size: Size) -> dict[str, str]:
        """The first pages and those behind row 1,000,000 (or at the end), in turns."""
        deep = min(size.users, DEEP_ROW) - PAGES * PAGE_SIZE
        paths = {start: cursor_paths(server, self.tokens[0], start) for start in (0, deep)}
        taken: dict[int, list[Result]] = {start: [] for start in paths}
        for _ in range(TURNS):
            for start, pages in paths.items():
                taken[start].append(self.run(server, database, size, "paths", paths=pages))
        first, later = (taken[start] for start in paths)
        ratio = median(whole(b) / whole(a) for a, b in zip(first, later, strict=True))
        return {
            "first pages by cursor": middle(first),
            "deep pages by cursor": middle(later),
            "deep / first": f"{ratio:.2f}×",
        }

    def resources(self, database: Database, counts: Sequence[int], on_row: OnRow) -> None:
        """Compiling, starting, memory, and the cost of W1, of contracts with so many resources."""
        size = Size(10_000, 0, 1000)
        rows: dict[int, dict[str, Any]] = {}
        taken: dict[int, list[Result]] = {count: [] for count in counts}
        with ExitStack() as running:
            servers: dict[int, Server] = {}
            for count in counts:
                made = application(count)
                database.load(size, self.progress, made)
                url = database.fresh(f"many{count}")
                starts = sorted(self._started(made, url) for _ in range(TURNS))
                compiled = sorted(compile_seconds(made) for _ in range(TURNS))
                rows[count] = {
                    "resources": count,
                    "import and compile, s": round(median(compiled), 2),
                    "start, s": round(median(starts), 2),
                }
                servers[count] = running.enter_context(serving(self._serving(made), url))
            database.settle()
            for _ in range(TURNS):
                for count in counts:
                    taken[count].append(self.run(servers[count], database, size, "W1"))
            for count in counts:
                memory = resident_bytes(servers[count].pid)[0] / 1e6
                on_row({**rows[count], "W1": middle(taken[count]), "memory, MB": round(memory)})

    def connections(self, database: Database, counts: Sequence[int], on_row: OnRow) -> None:
        """W1 and W2p with so many connections at a time."""
        allow_connections(max(counts))
        size = Size(100_000, 0, 1000)
        url = database.load(size, self.progress)
        with serving(self.stack, url) as server:
            database.settle()
            for count in counts:
                row: dict[str, Any] = {"connections": count}
                for workload in ("W1", "W2p"):
                    result = self.run(server, database, size, workload, count)
                    row[workload] = figures(result)
                    row[f"{workload} a second"] = round(result.per_second)
                    row[f"{workload} p99, ms"] = round(result.latencies[2] * 1000, 1)
                on_row(row)

    def run(
        self,
        server: Server,
        database: Database,
        size: Size,
        workload: str,
        connections: int = CONNECTIONS,
        paths: Sequence[str] = (),
    ) -> Result:
        """One measurement."""
        target = replace(target_of(server, self.tokens, size), paths=list(paths))
        warmup = min(self.seconds, 1.0)
        return generate(Job(target, workload, connections, self.seconds, warmup, observe=observed(server, database)))

    def _serving(self, made: Application) -> Stack:
        def command(home: Path, port: int, workers: int) -> list[str]:
            return serve_command(made.name, port, workers)

        environment = {**self.stack.environment, "PYTHONPATH": str(made.folder)}
        return replace(self.stack, name=made.name.partition(":")[0], command=command, environment=environment)

    def _started(self, made: Application, url: str) -> float:
        with serving(self._serving(made), url) as server:
            return server.start_seconds


def whole(result: Result) -> float:
    """Server and database together, microseconds a request."""
    return (result.cpu_us("server") or 0.0) + (result.cpu_us("database") or 0.0)


def middle(results: Sequence[Result]) -> str:
    """The figures of the run in the middle."""
    return figures(sorted(results, key=whole)[len(results) // 2])


def figures(result: Result) -> str:
    """Server and database CPU of a request."""
    database = result.cpu_us("database")
    behind = "" if database is None else f" + {database:,.0f}"
    return f"{result.cpu_us('server') or 0:,.0f}{behind} µs"


def cursor_paths(server: Server, token: str, start: int) -> list[str]:
    """Addresses of pages one after the other, from a row on; found by walking there, as a client has to."""
    connection = http.client.HTTPConnection(LOCALHOST, server.port, timeout=30)

    def following(cursor: str, page_size: int) -> str:
        path = f"/api/v1/users?pageSize={page_size}&cursor={cursor}"
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path} was answered with {response.status}: {content[:300]!r}")
        return orjson.loads(content)["meta"]["nextCursor"]

    try:
        cursor, row = "", 0
        while row < start:
            step = min(WALK_PAGE_SIZE, start - row)
            cursor, row = following(cursor, step), row + step
        found: list[str] = []
        for _ in range(PAGES):
            found.append(f"/api/v1/users?pageSize={PAGE_SIZE}&cursor={cursor}")
            cursor = following(cursor, PAGE_SIZE) or ""
        return found
    finally:
        connection.close()


def compile_seconds(made: Application) -> float:
    """Importing and compiling a contract in a new process, with everything that it imports."""
    code = (
        "import time; start = time.perf_counter(); "
        f"import {made.name.partition(':')[0]}; print(time.perf_counter() - start)"
    )
    environment = {**os.environ, "PYTHONPATH": str(made.folder)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def allow_connections(count: int) -> None:
    """Raises this process's limit of open files, and so that of the processes it starts, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count * 2 + 200
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))

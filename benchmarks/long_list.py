"""Long lists to measure on: a server of the shop over a million products, on either database."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

ROOT = Path(__file__).parents[1]
SECRET = "benchmark-of-long-lists-5d0c7a1e93b6"  # noqa: S105  (of a server that lives for minutes)
POSTGRES = os.environ.get("BENCHMARK_POSTGRES_URL", "postgresql://postgres@127.0.0.1:5432")
DATABASES = ("sqlite", "postgresql")


@dataclass
class Server:
    """A serving process, and where it listens."""

    process: subprocess.Popen[str]
    port: int
    url: str

    def resident_kib(self, name: str) -> int:
        """`VmRSS` (now) or `VmHWM` (the most so far)."""
        found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found is not None
        return int(found[1])

    def cpu_seconds(self) -> float:
        """CPU of the server process, and of the PostgreSQL backends that serve it."""
        return sum(_cpu(pid) for pid in (self.process.pid, *asyncio.run(_backends(self.url))))


@contextmanager
def long_list(database: str, folder: Path, rows: int) -> Generator[Server]:
    """A server over so many products, made for this and removed again."""
    name = f"long_list_{os.getpid()}"
    url = f"sqlite:///{folder / 'long.sqlite'}" if database == "sqlite" else f"{POSTGRES}/{name}"
    if database == "postgresql":
        asyncio.run(_execute(f"{POSTGRES}/postgres", f"CREATE DATABASE {name}"))
    try:
        with _serving(url, folder):
            pass  # it has made the schema
        _fill(url, rows)
        with _serving(url, folder) as server:
            yield server
    finally:
        if database == "postgresql":
            asyncio.run(_execute(f"{POSTGRES}/postgres", f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def _serving(url: str, folder: Path) -> Generator[Server]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("STERNPOST_")}
    env = {
        **kept,
        "PYTHONPATH": str(ROOT / "examples" / "shop"),
        "STERNPOST_JWT_SECRET": SECRET,
        "STERNPOST_DATABASE_URL": url,
        "STERNPOST_PORT": "0",
    }
    command = [sys.executable, "-m", "sternpost", "serve", "shop.app:app", "--create-schema"]
    log = folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=output, text=True)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r'"message":"Ready".*"port":(\d+)', line):
                    break
            else:
                raise RuntimeError(f"the server did not start: {log.read_text()}")
            drain = subprocess.Popen(["cat"], stdin=process.stdout, stdout=subprocess.DEVNULL)
            yield Server(process, int(found[1]), url)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            process.stdout.close()
        drain.wait(60)


def _fill(url: str, rows: int) -> None:
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
            connection.execute(
                "INSERT INTO products (id, sku, name, price_cents, stock) WITH RECURSIVE n(i) AS "
                "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
                "SELECT printf('%032x', i), 'SKU-' || i, 'Product ' || i, i / 3, i % 5 FROM n",
                (rows,),
            )
            connection.execute("ANALYZE")
        connection.close()
        return
    insert = (
        "INSERT INTO products (id, sku, name, price_cents, stock) SELECT lpad(to_hex(i), 32, '0')::uuid, 'SKU-' || i, "
        "'Product ' || i, i / 3, i % 5 FROM generate_series(1, $1::int) i"
    )
    asyncio.run(_execute(url, insert, rows))
    asyncio.run(_execute(url, "VACUUM ANALYZE products"))


async def _execute(url: str, statement: str, *values: int) -> None:
    connection = await _connect(url)
    await connection.execute(statement, *values)
    await connection.close()


async def _backends(url: str) -> list[int]:
    if url.startswith("sqlite"):
        return []
    connection = await _connect(url)
    rows = await connection.fetch(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    await connection.close()
    return [row["pid"] for row in rows]


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _connect(url: str) -> Any:
    connect: Any = getattr(asyncpg, "connect")  # noqa: B009  (its own annotations are incomplete)
    return await connect(url)

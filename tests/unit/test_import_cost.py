"""Importing a contract is cheap: what only a running service needs is not loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.server import environment

HEAVY = ("asyncpg", "sqlite3", "sqlalchemy", "pydantic", "starlette", "uvicorn", "redis", "jwt", "httpx2")
PEER = "sqlalchemy"
"""What a running service needs, too; its import takes several times as long."""

MEASURE = "import sys, time; start = time.process_time(); import {}; print(time.process_time() - start, *sys.modules)"


def measure(module: str) -> tuple[float, set[str]]:
    """The CPU that an import takes in a fresh process, and what it brings along."""
    done = subprocess.run([sys.executable, "-c", MEASURE.format(module)], capture_output=True, text=True, check=True)
    seconds, *modules = done.stdout.split()
    return float(seconds), set(modules)


def test_importing_sternpost_takes_little_time_and_loads_nothing_heavy() -> None:
    runs = [(measure("sternpost"), measure(PEER)) for _ in range(3)]
    ours, peers = (min(seconds for seconds, _ in each) for each in zip(*runs, strict=True))
    assert ours < peers / 2, "the best of three: others may be busy on this machine"
    assert not runs[0][0][1] & set(HEAVY)


START = """
import asyncio, sys
from shop.app import app
asyncio.run(app.start())
print(*sys.modules)
"""


def test_a_start_loads_nothing_of_another_database_or_of_migrations(tmp_path: Path) -> None:
    env = environment(STERNPOST_DATABASE_URL=f"sqlite:///{tmp_path / 'shop.sqlite'}")
    done = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True, env=env)
    loaded = set(done.stdout.split())
    assert "sternpost.storage.sqlite.database" in loaded
    assert not loaded & {"asyncpg", "sqlalchemy.dialects.postgresql", "sternpost.ports.steps", "sternpost.migrations"}


def test_a_service_without_an_ops_port_loads_nothing_of_it() -> None:
    _, loaded = measure("sternpost.cli.main, sternpost.app.server, sternpost.app.supervisor")
    assert "sternpost.app.server" in loaded
    assert not {name for name in loaded if name.startswith(("sternpost.app.ops", "sternpost.protocols.http.proxies"))}

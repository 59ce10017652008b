"""Importing a contract is cheap: what only a running service needs is not loaded."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("asyncpg", "sqlite3", "sqlalchemy", "pydantic", "starlette", "uvicorn", "redis", "jwt", "httpx2")
SECONDS_MAX = 0.4

MEASURE = (
    "import sys, time; start = time.perf_counter(); import sternpost; print(time.perf_counter() - start, *sys.modules)"
)


def measure() -> tuple[float, set[str]]:
    """How long the import takes in a fresh process, and what it brings along."""
    done = subprocess.run([sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True)
    seconds, *modules = done.stdout.split()
    return float(seconds), set(modules)


def test_importing_sternpost_takes_little_time_and_loads_nothing_heavy() -> None:
    runs = [measure() for _ in range(3)]
    assert min(seconds for seconds, _ in runs) < SECONDS_MAX, "the best of three: others may be busy on this machine"
    assert not runs[0][1] & set(HEAVY)

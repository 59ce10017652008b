"""`sternpost dev`: serves in a child process, and starts a new one whenever the code changes and the contract
compiles."""

from __future__ import annotations

import itertools
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from types import FrameType

from watchfiles import DefaultFilter, watch

from sternpost.cli.output import errors
from sternpost.plan.model import Plan
from sternpost.settings import Settings
from sternpost.storage.sql.schema import Schema
from sternpost.storage.sqlite.dialect import SqliteDialect

STOP_SECONDS = 10


class SourceFilter(DefaultFilter):
    """What a service is made of: Python, settings, SQL."""

    def __call__(self, change: object, path: str) -> bool:
        relevant = path.endswith((".py", ".toml", ".sql", ".env")) and "/.sternpost/" not in path
        return relevant and super().__call__(change, path)  # pyright: ignore[reportArgumentType]


def run_dev(app: str, options: list[str]) -> int:
    """Serves until SIGINT or SIGTERM; 0."""
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    child = _start(app, options) if _compiles(app) and _has_schema(app) else None
    try:
        for _ in watch(
            Path.cwd(), watch_filter=SourceFilter(), stop_event=stopping, debounce=200, step=50, raise_interrupt=False
        ):
            if not _compiles(app):
                serving = child is not None and child.poll() is None
                errors.print(
                    "[yellow]waiting for the next save[/]"
                    + ("; the last good version is still served" if serving else "")
                )
                continue
            if child is not None:
                errors.print("[cyan]changed[/]: restarting")
                _end(child)
            child = _start(app, options) if _has_schema(app) else None
    finally:
        if child is not None:
            _end(child)
    return 0


def _compiles(app: str) -> bool:
    """Whether the contract compiles; a fresh process, so that nothing of an earlier version is left in memory."""
    checked = subprocess.run(
        [sys.executable, "-m", "sternpost", "contract", "check", app], stdout=subprocess.DEVNULL, check=False
    )
    return checked.returncode == 0


def _has_schema(app: str) -> bool:
    """Makes the schema; a SQLite file with that of an earlier contract is kept under another name."""
    applied = subprocess.run(
        [sys.executable, "-m", "sternpost", "migrate", "apply", app, "--set-aside"], stdout=sys.stderr, check=False
    )
    return applied.returncode == 0


def set_other_schema_aside(settings: Settings, plan: Plan) -> Path | None:
    """Renames the SQLite file of `settings` where it holds another schema than the plan's; where it is now."""
    url = settings.database_url.get_secret_value()
    path = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or not path.is_file() or settings.production:
        return None
    with closing(sqlite3.connect(path)) as connection:
        try:
            found = connection.execute("SELECT fingerprint FROM sternpost_schema").fetchall()
        except sqlite3.Error:  # no database of ours: left for `migrate apply` to judge
            return None
    if (Schema(plan, SqliteDialect()).fingerprint,) in found:
        return None
    number = next(number for number in itertools.count(1) if not path.with_name(f"{path.name}.{number}").exists())
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(path.with_name(f"{path.name}.{number}{suffix}"))
    return path.with_name(f"{path.name}.{number}")


def _start(app: str, options: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "sternpost", "serve", app, "--workers", "1", *options])


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()

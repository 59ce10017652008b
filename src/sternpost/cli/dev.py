"""`sternpost dev`: serves in a child process, and starts a new one whenever the code changes and the contract compiles."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType

from rich.console import Console
from watchfiles import DefaultFilter, watch

STOP_SECONDS = 10
console = Console(stderr=True, highlight=False)


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
    child = _start(app, options) if _compiles(app) else None
    try:
        for _ in watch(Path.cwd(), watch_filter=SourceFilter(), stop_event=stopping, debounce=200, step=50, raise_interrupt=False):
            if not _compiles(app):
                console.print("[yellow]waiting for the next save[/]" + ("; the last good version is still served" if child else ""))
                continue
            if child is not None:
                console.print("[cyan]changed[/]: restarting")
                _end(child)
            child = _start(app, options)
    finally:
        if child is not None:
            _end(child)
    return 0


def _compiles(app: str) -> bool:
    """Whether the contract compiles; a fresh process, so that nothing of an earlier version is left in memory."""
    checked = subprocess.run([sys.executable, "-m", "sternpost", "contract", "check", app], stdout=subprocess.DEVNULL, check=False)  # noqa: S603
    return checked.returncode == 0


def _start(app: str, options: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "sternpost", "serve", app, "--create-schema", *options])  # noqa: S603


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()

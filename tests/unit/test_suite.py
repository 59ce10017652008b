"""The suite itself: a worker's account reaches the run, a failed test harms no other, nothing hangs or is left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import not_run
from tests.support.postgres import answers, has_binaries
from tests.support.server import ROOT, wait_until

WITHOUT = """
from tests.conftest import not_run

def test_one():
    not_run("Something", "it is not here")

def test_other():
    pass
"""
FAILING = """
import asyncio
import socket

def test_fails():
    kept = socket.create_server(("127.0.0.1", 0))
    assert kept is None

def test_does_not():
    pass

async def test_endless():
    while True:
        await asyncio.sleep(0)
"""
WAITING = """
import time
from pathlib import Path

async def test_waiting(postgres_url):
    Path("part").write_text(postgres_url)
    Path("part").rename("url")
    while not Path("stopped").exists():
        time.sleep(0.02)
"""


def started(folder: Path, text: str, *options: str, **env: str) -> subprocess.Popen[str]:
    """A run of its own, of this file, with a worker."""
    (folder / "test_it.py").write_text(text, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "STERNPOST_", "CI"))}
    configured = ("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), "-p", "tests.conftest")
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", *configured, "-n", "1", *options, str(folder)],
        cwd=folder,
        env={**kept, "PYTHONPATH": str(ROOT), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def output(process: subprocess.Popen[str]) -> tuple[int, str]:
    text, _ = process.communicate(timeout=60)
    return process.returncode, text


@pytest.mark.slow
def test_what_a_worker_could_not_test_is_told_and_fails_in_ci(tmp_path: Path) -> None:
    code, text = output(started(tmp_path, WITHOUT, CI="true"))
    assert "NOT TESTED" in text
    assert "Something: it is not here" in text
    assert (code, "1 passed, 1 skipped" in text) == (1, True), text


@pytest.mark.slow
def test_what_is_endless_fails_and_what_a_failed_test_left_open_fails_no_other(tmp_path: Path) -> None:
    code, text = output(started(tmp_path, FAILING, "--timeout", "2"))
    assert (code, "Timeout" in text, "2 failed, 1 passed" in text) == (1, True, True), text


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_server_of_a_run_ends_with_it(tmp_path: Path, number: int) -> None:
    if not has_binaries():
        not_run("A private PostgreSQL of each run", "no PostgreSQL binaries are installed")
    process = started(tmp_path, WAITING)
    wait_until((tmp_path / "url").exists, 60)
    url = (tmp_path / "url").read_text(encoding="utf-8")
    assert answers(url)
    process.send_signal(number)
    (tmp_path / "stopped").touch()  # a worker is told of no signal, and waited for
    output(process)
    assert not answers(url)

"""promtool, which checks metrics, rules and configurations of Prometheus: that of the machine, or out of the Debian
package, which is unpacked and not installed, because installing it starts a server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGE = "prometheus"
KEPT = Path(sys.prefix) / "promtool"
"""Where it is kept for the next run: in the environment of the tests."""

SECONDS = 120


class NoPromtool(Exception):
    """It is not there, and could not be fetched; the message says what was tried."""


def check(what: str, *files: Path, given: str | None = None) -> str:
    """What `promtool check metrics`, `check config` or `check rules` finds; empty where all is well.

    Args:
        given: what it reads from its input.

    Raises:
        NoPromtool: there is none.
    """
    command = [_binary(), "check", what, *map(str, files)]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode == 0 and not done.stderr.strip():
        return ""
    return f"status {done.returncode}: {done.stdout}{done.stderr}"


def _binary() -> str:
    found = shutil.which("promtool")
    if found is not None:
        return found
    if not KEPT.exists():
        _fetch()
    return str(KEPT)


def _fetch() -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise NoPromtool("promtool is not on the path, and there is no apt-get to fetch it with")
    with tempfile.TemporaryDirectory(prefix="sternpost-promtool-") as name:
        folder = Path(name)
        if not _downloaded(folder) and os.geteuid() == 0:
            _run("apt-get", "update", "-qq", folder=folder)
            _downloaded(folder)
        packages = [*folder.glob("*.deb")]
        if not packages:
            raise NoPromtool("promtool is not on the path, and apt-get could not download the package prometheus")
        _run("dpkg-deb", "-x", str(packages[0]), str(folder / "unpacked"), folder=folder)
        unpacked = folder / "unpacked" / "usr" / "bin" / "promtool"
        if not unpacked.exists():
            raise NoPromtool("the package prometheus has no promtool")
        partial = KEPT.with_suffix(f".{os.getpid()}")  # others may fetch it at the same time
        shutil.copy2(unpacked, partial)
        partial.replace(KEPT)


def _downloaded(folder: Path) -> bool:
    _run("apt-get", "download", "-qq", PACKAGE, folder=folder)
    return any(folder.glob("*.deb"))


def _run(*command: str, folder: Path) -> None:
    subprocess.run(command, cwd=folder, capture_output=True, timeout=SECONDS, check=False)

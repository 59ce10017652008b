"""What gates ask git."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[bytes] | None:
    """What git says in a folder; None where it is not installed."""
    try:
        return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)  # noqa: S603, S607  (as its user runs it)
    except FileNotFoundError:
        return None

"""Which application a run of pytest is about, and what its databases are called."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

RUN = pytest.StashKey[str]()
"""What the names of this run's databases begin with."""


def application_of(config: pytest.Config) -> str | None:
    """The application that the tests are about, as module:attribute, or None where there is none."""
    return config.getini("sternpost_app") or os.environ.get("STERNPOST_APP") or _named_in(config.rootpath)


def _named_in(folder: Path) -> str | None:
    try:
        text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    if "[tool.sternpost]" not in text:
        return None
    try:
        named = tomllib.loads(text).get("tool", {}).get("sternpost", {}).get("app")
    except tomllib.TOMLDecodeError:  # pytest itself has said so, if it is of this project
        return None
    return named if isinstance(named, str) else None

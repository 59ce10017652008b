"""The gates of the examples."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.gates.project import sternpost

REPOSITORY = Path(__file__).parents[2]


def test_the_shop_passes(tmp_path: Path) -> None:
    for folder in ("examples/shop", "tests/golden/shop"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    done = sternpost(tmp_path / "examples/shop", "gate", "design")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_shop_passes_both_gates(tmp_path: Path) -> None:
    for folder in ("examples/shop", "tests/golden/shop"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for gate in ("design", "implement"):
        done = sternpost(tmp_path / "examples/shop", "gate", gate)
        assert done.returncode == 0, done.stdout + done.stderr

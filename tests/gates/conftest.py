"""A project that passes is made once; each test has a copy of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.gates.project import implemented, passing


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return passing(tmp_path_factory.mktemp("gates"))


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "my-service"))


@pytest.fixture(scope="session")
def made_and_implemented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return implemented(tmp_path_factory.mktemp("implemented"))


@pytest.fixture
def complete(made_and_implemented: Path, tmp_path: Path) -> Path:
    """A project that passes the first two gates."""
    return Path(shutil.copytree(made_and_implemented, tmp_path / "my-service"))

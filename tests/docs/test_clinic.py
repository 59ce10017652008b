"""The example clinic: its own tests on both databases, and its size."""

from __future__ import annotations

import subprocess
import sys

import pytest
from clinic.app import app

from sternpost.derive.typed_data import problem_of
from tests.support.server import ROOT, environment

CLINIC = ROOT / "examples" / "clinic"
MOST_LINES = 350


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_its_tests_pass(database: str, request: pytest.FixtureRequest) -> None:
    address = [] if database == "sqlite" else [f"--sternpost-database={request.getfixturevalue('postgres_url')}"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *address]
    env = environment() | {"PYTHONPATH": ""}
    done = subprocess.run(command, cwd=CLINIC, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr


def test_contract_and_services_are_short() -> None:
    files = [CLINIC / "src" / "clinic" / name for name in ("contract.py", "services.py")]
    assert sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files) <= MOST_LINES


def test_the_types_of_its_data_are_current() -> None:
    assert problem_of(app.compiled, CLINIC / "src" / "clinic" / "data.py") is None

"""Which acceptance criteria tests prove: the mark `proves`, and the file that gates read.

A mark, and no name that tests import, so that a test says it in one line and pytest can select by it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

MARK = "proves"
_PROPERTY = "sternpost_proves"


class Proofs:
    """Collects what came of each test, and writes it at the end.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, dict[str, Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called for the parts of a test: its fixtures, itself, and the end of its fixtures."""
        proves = [value for name, value in report.user_properties if name == _PROPERTY]
        found = self._found.setdefault(report.nodeid, {"test": report.nodeid, "passed": False, "proves": proves})
        if report.when == "call":
            found["passed"] = report.passed and not hasattr(report, "wasxfail")
        elif report.failed:
            found["passed"] = False

    def pytest_sessionfinish(self) -> None:
        """Called at the end of the run."""
        self._path.write_text(json.dumps([*self._found.values()]), encoding="utf-8")


def proofs_of(item: pytest.Item) -> list[tuple[str, str]]:
    """The operations and criteria that a test names.

    Raises:
        pytest.UsageError: a mark has other arguments.
    """
    found: list[tuple[str, str]] = []
    for mark in item.iter_markers(MARK):
        if mark.kwargs or len(mark.args) < 2 or not all(isinstance(each, str) for each in mark.args):
            raise pytest.UsageError(
                f"{item.nodeid}: proves takes an operation and codes of its acceptance criteria: "
                f'@pytest.mark.proves("tasks.create", "owner-only")'
            )
        operation, *codes = mark.args
        found += [(operation, code) for code in codes]
    return found


def note_proofs(items: list[pytest.Item]) -> None:
    """Has the report of each test carry what it proves, also to another process."""
    for item in items:
        item.user_properties += [(_PROPERTY, proof) for proof in proofs_of(item)]

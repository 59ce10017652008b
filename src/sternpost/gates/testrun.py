"""The project's own tests, run once for a gate: what each proves, and which lines they reach."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson

from sternpost.errors import StartupError
from sternpost.gates.project import Project, settings_of
from sternpost.gates.sources import sources_of

SECONDS_MAX = 900
"""How long they may take."""

LINES_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Tested:
    """A test, and what it says that it proves.

    Attributes:
        proves: operations, each with the code of an acceptance criterion.
    """

    id: str
    passed: bool
    proves: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class TestRun:
    """What came of the tests.

    Attributes:
        status: of pytest; 0 where all have passed.
        said: the end of what it printed.
        reached: by file, from the project's folder on, the lines that ran and those that did not.
    """

    status: int
    said: str
    tests: tuple[Tested, ...] = ()
    reached: Mapping[str, Lines] = field(default_factory=dict[str, "Lines"])


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines of one file that hold statements."""

    ran: frozenset[int]
    missed: frozenset[int]


def tests_of(project: Project) -> TestRun:
    """What came of the project's tests, run once for all criteria of a gate.

    Raises:
        StartupError: coverage or pytest is not installed, or the tests take too long.
    """
    return project.once(_tested)


def _tested(project: Project) -> TestRun:
    omitted = _omitted(project.root)
    sources = [source for source in sources_of(project) if not any(map(partial(fnmatch, source.name), omitted))]
    run = run_tests(project.root, [source.name for source in sources])
    never = {
        source.name: Lines(frozenset(), source.statements()) for source in sources if source.name not in run.reached
    }
    return replace(run, reached={**never, **run.reached})


def _omitted(root: Path) -> list[str]:
    """The files that the project's own settings of coverage leave out."""
    return [str(each) for each in settings_of(root, "coverage", "run").get("omit", [])]


def run_tests(root: Path, sources: list[str]) -> TestRun:
    """Runs pytest in the project's folder, in a process of its own.

    Args:
        sources: the files whose lines count, from the project's folder on.

    Raises:
        StartupError: as `tests_of`.
    """
    missing = [name for name in ("coverage", "pytest") if find_spec(name) is None]
    if missing:
        raise StartupError(f"{' and '.join(missing)} is not installed: pip install 'sternpost[gates]' pytest")
    with tempfile.TemporaryDirectory(prefix="sternpost-tests-") as folder:
        data, proofs, report = (Path(folder) / name for name in ("coverage", "proofs.json", "coverage.json"))
        rc = Path(folder) / "coveragerc"
        included = "\n    ".join(os.path.join(os.path.abspath(root), name) for name in sources)
        rc.write_text(f"[run]\ndata_file = {data}\ninclude =\n    {included}\n", encoding="utf-8")
        coverage = [sys.executable, "-m", "coverage"]
        tests = ["-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", f"--sternpost-proofs={proofs}"]
        done = _run([*coverage, "run", f"--rcfile={rc}", *tests], root)
        said = "\n".join(done.stdout.strip().splitlines()[-LINES_SHOWN:])
        _run([*coverage, "json", f"--rcfile={rc}", "-q", "-o", str(report)], root)
        return TestRun(done.returncode, said, _proofs(proofs), _lines(report, root))


def _run(command: list[str], root: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        return subprocess.run(  # noqa: S603  (this very interpreter)
            command,
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
    except subprocess.TimeoutExpired as error:
        raise StartupError(f"The tests have not ended in {SECONDS_MAX} seconds") from error


def _proofs(path: Path) -> tuple[Tested, ...]:
    if not path.is_file():
        return ()
    read: list[Any] = orjson.loads(path.read_bytes())
    return tuple(
        Tested(each["test"], each["passed"], tuple((operation, code) for operation, code in each["proves"]))
        for each in read
    )


def _lines(path: Path, root: Path) -> dict[str, Lines]:
    if not path.is_file():
        return {}
    read: Mapping[str, Any] = orjson.loads(path.read_bytes())["files"]
    here = os.path.abspath(root)
    return {
        Path(os.path.relpath(os.path.join(here, name), here)).as_posix(): Lines(
            frozenset(found["executed_lines"]), frozenset(found["missing_lines"])
        )
        for name, found in read.items()
    }

"""The project's own Python files, as criteria read them."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sternpost.app.loading import data_file, migrations_folder
from sternpost.compile.source_rules import check_file
from sternpost.errors import StartupError
from sternpost.gates.criterion import Finding
from sternpost.gates.fingerprint import files_of
from sternpost.gates.project import Project, settings_of

_TESTS = ("test", "tests")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file of the service's code.

    Attributes:
        name: from the project's folder on.
    """

    name: str
    tree: ast.Module

    def statements(self) -> frozenset[int]:
        """The lines on which statements begin that do something: docstrings do not."""
        return frozenset(
            node.lineno
            for node in ast.walk(self.tree)
            if isinstance(node, ast.stmt) and not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        )


def sources_of(project: Project) -> tuple[SourceFile, ...]:
    """All files of the service's code, but tests, migrations and what is generated.

    Raises:
        StartupError: one is no Python.
    """
    return project.once(_read)


def broken_rules(project: Project, codes: tuple[str, ...]) -> list[Finding]:
    """What breaks the compiler's rules about the source of services, in all of the code."""
    return [
        Finding(f"{source.name}:{found.source.line}", found.message, found.fix)
        for source in sources_of(project)
        for found in check_file(str(project.root / source.name))
        if found.code in codes
    ]


def _read(project: Project) -> tuple[SourceFile, ...]:
    migrations = migrations_folder(project.name, project.root).resolve()
    generated = data_file(project.root)
    tests = (*_TESTS, *_testpaths(project.root))
    names = (name for name in files_of(project.root) if name.endswith(".py") and not _is_test(name, tests))
    paths = ((name, project.root / name) for name in sorted(names))
    return tuple(
        SourceFile(name, _parsed(path))
        for name, path in paths
        if path.is_file() and path != generated and not path.resolve().is_relative_to(migrations)
    )


def _testpaths(root: Path) -> list[str]:
    """The folders in which pytest looks for tests."""
    return [str(each) for each in settings_of(root, "pytest", "ini_options").get("testpaths", [])]


def _is_test(name: str, folders: Sequence[str]) -> bool:
    path = PurePosixPath(name)
    below = any(path.is_relative_to(folder) for folder in folders) or any(part in _TESTS for part in path.parts[:-1])
    return below or path.name.startswith("test_") or path.name == "conftest.py"


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError, OSError) as error:
        raise StartupError(f"{path} cannot be read as Python: {error}") from error

"""A project that passes the gates, and ways to spoil it."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from sternpost.cli.scaffold import make_project
from tests.support.forks import run

CONTRACT = "src/my_service/contract.py"
SERVICES = "src/my_service/services.py"
PYPROJECT = "pyproject.toml"
OPENAPI = "contract/openapi.json"
RECORD = "docs/adr/0001-record-decisions.md"
EVIDENCE = ".sternpost/evidence/design.json"


def environment(**more: str) -> dict[str, str]:
    """What a shell has, and nothing of Sternpost's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STERNPOST_")}
    return {**kept, "COLUMNS": "200", "PYTHONDONTWRITEBYTECODE": "1"} | more


def sternpost(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A command in a project's folder."""
    return run(arguments, folder, environment(**more))


def passing(parent: Path) -> Path:
    """A new project in which all is done that the first gate asks for."""
    folder = make_project("my-service", parent)
    change(folder, PYPROJECT, "# auth = [", "auth = [")
    change(folder, PYPROJECT, "# [tool.sternpost.design]\n# simple", "[tool.sternpost.design]\nsimple")
    emit(folder)
    return folder


def implemented(parent: Path) -> Path:
    """A project in which all is done that the first two gates ask for."""
    folder = passing(parent)
    for command in (("contract", "emit", "--python", "src/my_service/data.py"), ("migrate", "plan")):
        done = sternpost(folder, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def emit(folder: Path) -> None:
    done = sternpost(folder, "contract", "emit")
    assert done.returncode == 0, done.stderr


def change(folder: Path, file: str, old: str, new: str) -> None:
    """Replaces a text that has to be there."""
    path = folder / file
    text = path.read_text("utf-8")
    assert old in text, f"{file} has no {old!r}"
    path.write_text(text.replace(old, new, 1), "utf-8")


def git(folder: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@b.example", *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def without_docstring(folder: Path) -> None:
    path = folder / CONTRACT
    text, count = re.subn(r'    """Something to do.*?"""\n\n', "", path.read_text("utf-8"), flags=re.DOTALL)
    assert count == 1
    path.write_text(text, "utf-8")

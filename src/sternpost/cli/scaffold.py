"""`sternpost new`: writes a project from the files under `template/`.

Every file of the template ends in `.tmpl`, so that no tool takes it for a test, a project or a .gitignore of
Sternpost's own; a name that begins with `dot.` stands for a hidden file, the folder `package` for the project's
package. In the files `{{name}}`, `{{package}}` and `{{title}}` are replaced as text: unlike `$name`, that collides with
nothing that Makefiles, shells and compose.yaml mean by a dollar sign.
"""

from __future__ import annotations

import json
import keyword
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sternpost.errors import StartupError

TEMPLATE = Path(__file__).with_name("template")
SUFFIX = ".tmpl"
LENGTH_MAX = 50
"""The package is also the name of the database and of its user; PostgreSQL cuts names at 63 bytes."""

_is_name = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*").fullmatch
_distribution = re.compile(r"[A-Za-z0-9._-]+")


def make_project(name: str, parent: Path) -> Path:
    """Writes a new project into the folder `name` below `parent`.

    Returns:
        The folder.

    Raises:
        StartupError: the name cannot be one, the folder is in use, or it cannot be written; says what to do.
    """
    _refuse_name(name)
    folder = parent / name
    try:
        _refuse_folder(folder)
        _write(folder, {"name": name, "package": _package(name), "title": name.replace("-", " ").capitalize()})
    except OSError as error:
        reason = f"{error.filename or folder} cannot be written: {error.strerror}"
        raise StartupError(f"{reason}. Run the command in a folder where you have write permission.") from error
    return folder


def write_data_types(folder: Path) -> None:
    """Writes the data client's types of a new project, as its own command would: in a process of its own, which has
    imported nothing yet."""
    named = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["sternpost"]["data"]
    command = [sys.executable, "-m", "sternpost", "contract", "emit", "--python", named]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STERNPOST_")}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StartupError(f"The project was made, but not its data client: {done.stderr.strip()}")


def own_requirement() -> str | None:
    """What Sternpost was installed from, where that was no package index (PEP 610): a folder, a file or an address.
    A project that is made with it has to install it from there, too."""
    try:
        text = distribution("sternpost").read_text("direct_url.json")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return None
    url = json.loads(text).get("url") if text else None
    if not isinstance(url, str):
        return None
    return unquote(urlsplit(url).path) if url.startswith("file:") else f"sternpost @ {url}"


def _package(name: str) -> str:
    return name.replace("-", "_")


def _refuse_name(name: str) -> None:
    if not _is_name(name) or len(name) > LENGTH_MAX:
        raise StartupError(
            f"{name!r} cannot be a project's name. Use lower-case letters and digits, with single dashes "
            "between words, "
            f"at most {LENGTH_MAX} characters, such as my-service."
        )
    package = _package(name)
    clash = _clash(package)
    if clash:
        raise StartupError(
            f"The project cannot be named {name}: its package {package} would clash with {clash}. "
            f"Add a word to the name, such as {name}-service."
        )


def _clash(package: str) -> str | None:
    """What a package of this name would get in the way of."""
    if keyword.iskeyword(package):
        return "a keyword of Python"
    if package in sys.stdlib_module_names:
        return "a module of Python's standard library"
    if package in {"sternpost", "src", "tests", "pytest", "pytest_asyncio"}:
        return "a name that the project itself uses"
    if package in _dependencies():
        return "a library that Sternpost depends on"
    return None


def _dependencies() -> set[str]:
    try:
        found = [_distribution.match(line) for line in requires("sternpost") or ()]
    except PackageNotFoundError:  # run from a checkout that is not installed
        return set()
    return {re.sub(r"[._-]+", "_", match.group()).lower() for match in found if match}


def _refuse_folder(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() or folder.is_symlink():
        raise StartupError(
            f"{folder} already exists, and it is not overwritten. Choose another name, or move the folder away."
        )


def _write(folder: Path, values: dict[str, str]) -> None:
    for source in sorted(TEMPLATE.rglob("*" + SUFFIX)):
        target = folder.joinpath(*(_renamed(part, values) for part in source.relative_to(TEMPLATE).parts))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled(source.read_text(encoding="utf-8"), values), encoding="utf-8", newline="\n")


def _renamed(part: str, values: dict[str, str]) -> str:
    if part == "package":
        return values["package"]
    part = part.removesuffix(SUFFIX)
    return "." + part.removeprefix("dot.") if part.startswith("dot.") else part


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace("{{" + name + "}}", value)
    return text

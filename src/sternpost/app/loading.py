"""Finds the application that a command is about: `module:attribute`, from an argument, the environment or
pyproject.toml."""

from __future__ import annotations

import importlib
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

from sternpost.app.application import Sternpost
from sternpost.app.import_errors import TRACEBACK_VARIABLE, ImportFailed
from sternpost.app.stand_in import stand_in
from sternpost.compile.diagnostics import ContractError
from sternpost.errors import StartupError


def application_name(given: str | None) -> str:
    """`module:attribute`. Raises `StartupError` where nothing says it."""
    if given:
        return given
    if os.environ.get("STERNPOST_APP"):
        return os.environ["STERNPOST_APP"]
    configured = _project().get("app")
    if isinstance(configured, str):
        return configured
    raise StartupError(
        "No application is given. Name it (sternpost … my_service.app:app), "
        'or set app = "my_service.app:app" under [tool.sternpost] in pyproject.toml.'
    )


def data_file() -> Path | None:
    """The committed module with the data client's types, where pyproject.toml names one."""
    named = _project().get("data")
    return Path(named) if isinstance(named, str) else None


def _project() -> dict[str, Any]:
    """What pyproject.toml says under [tool.sternpost]: `app`, `data`, `migrations`, and `paths` (folders to import
    from)."""
    project = Path("pyproject.toml")
    if not project.is_file():
        return {}
    try:
        return tomllib.loads(project.read_text(encoding="utf-8")).get("tool", {}).get("sternpost", {})
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartupError(f"pyproject.toml cannot be read: {error}") from error


def load_application(name: str, *, writing: Path | None = None) -> Sternpost:
    """Imports the application.

    Args:
        writing: the module with the data client's types, where it is about to be written: it is not read.

    Raises:
        StartupError: says what to correct.
        ContractError: the contract is wrong.
        ImportFailed: a module of the application raised another error.
    """
    module_name, separator, attribute = name.partition(":")
    if not separator or not attribute:
        raise StartupError(f"{name!r} is not module:attribute, such as my_service.app:app")
    for folder in (*map(Path, _project().get("paths", ())), Path("src"), Path()):
        if folder.is_dir() and str(folder.resolve()) not in sys.path:
            sys.path.insert(0, str(folder.resolve()))
    try:
        with stand_in(writing):
            module = importlib.import_module(module_name)
    except (StartupError, ContractError):
        raise
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and (module_name == missing or module_name.startswith(missing + ".")):
            raise StartupError(
                f"There is no module {module_name!r}. Run the command in the folder of the project."
            ) from error
        if _shows_all():
            raise
        raise _import_failed(module_name, error) from error
    app = getattr(module, attribute, None)
    if not isinstance(app, Sternpost):
        raise StartupError(f"{name} is not a Sternpost application")
    return app


def _shows_all() -> bool:
    return os.environ.get(TRACEBACK_VARIABLE) == "full"


def _import_failed(module_name: str, error: Exception) -> ImportFailed:
    """What to raise for an error in the author's code."""
    failed = ImportFailed(module_name, error)
    path = data_file()
    if path is not None and any(Path(file).resolve() == path.resolve() for file in failed.files):
        from sternpost.derive.typed_data import DATA_FIX

        failed.add_note(f"{path} is generated. {DATA_FIX.format(path=path)}")
    return failed


def migrations_folder(name: str) -> Path:
    """Where the migrations of an application are: what pyproject.toml says, else `migrations` beside its package."""
    configured = _project().get("migrations")
    if isinstance(configured, str):
        return Path(configured)
    package = importlib.import_module(name.partition(":")[0].partition(".")[0])
    if package.__file__ is None:
        return Path("migrations")
    file = Path(package.__file__)
    beside = file.parent.parent if file.name == "__init__.py" else file.parent
    return (beside.parent if beside.name == "src" else beside) / "migrations"

"""Finds the application that a command is about: `module:attribute`, from an argument, the environment or
pyproject.toml."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from sternpost.app.application import Seed, Sternpost
from sternpost.app.import_errors import TRACEBACK_VARIABLE, ImportFailed
from sternpost.app.stand_in import stand_in
from sternpost.compile.diagnostics import ContractError
from sternpost.data.database import Database
from sternpost.errors import StartupError

HERE = Path()
"""The folder of the project, where a command runs in it."""


def application_name(given: str | None, folder: Path = HERE) -> str:
    """`module:attribute`. Raises `StartupError` where nothing says it."""
    configured = given or configured_name(folder)
    if configured:
        return configured
    raise StartupError(
        "No application is given. Name it (sternpost … my_service.app:app), "
        'or set app = "my_service.app:app" under [tool.sternpost] in pyproject.toml.'
    )


def configured_name(folder: Path) -> str | None:
    """The application that the environment or the project in this folder names."""
    named = os.environ.get("STERNPOST_APP") or project_options(folder).get("app")
    return named if isinstance(named, str) else None


def data_file(folder: Path = HERE) -> Path | None:
    """The committed module with the data client's types, where pyproject.toml names one."""
    named = project_options(folder).get("data")
    return folder / named if isinstance(named, str) else None


def seed_of(app: Sternpost, folder: Path = HERE) -> Seed | None:
    """The function that fills a database: the application's, or the one that pyproject.toml names.

    Raises:
        StartupError: there is none of that name.
    """
    named = project_options(folder).get("seed")
    if app.seed is not None or not isinstance(named, str):
        return app.seed
    module_name, _, attribute = named.partition(":")
    found = getattr(_imported(module_name), attribute, None) if attribute else None
    if not inspect.iscoroutinefunction(found):
        raise StartupError(f"seed = {named!r} in pyproject.toml is no async function; write module:function")
    return cast("Seed", found)


def data_class(folder: Path = HERE) -> type[Database]:
    """The data client with the contract's types, where there is one; else the one without."""
    path = data_file(folder)
    if path is None:
        return Database
    for parent in map(Path, sys.path):
        if path.resolve().is_relative_to(parent.resolve()):
            relative = path.resolve().relative_to(parent.resolve()).with_suffix("")
            name = ".".join(relative.parts).removesuffix(".__init__")
            return cast("type[Database]", _imported(name).Data)
    raise StartupError(f"{path} is in no folder that modules are imported from; name its folder in paths")


def project_options(folder: Path = HERE) -> dict[str, Any]:
    """What pyproject.toml says under [tool.sternpost]: `app`, `data`, `seed`, `migrations`, and `paths` (folders to
    import from)."""
    project = folder / "pyproject.toml"
    if not project.is_file():
        return {}
    try:
        section: dict[str, Any] = tomllib.loads(project.read_text(encoding="utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StartupError(f"pyproject.toml cannot be read: {error}") from error
    for key in ("tool", "sternpost"):
        found: Any = section.get(key, {})
        if not isinstance(found, dict):
            raise StartupError(f"{key} in pyproject.toml has to be a table")
        section = cast("dict[str, Any]", found)
    paths: Any = section.get("paths", [])
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in cast("list[Any]", paths)):
        raise StartupError("paths under [tool.sternpost] in pyproject.toml has to be a list of folders")
    return section


def import_folders(folder: Path = HERE) -> list[Path]:
    """The folders that a project's modules are imported from."""
    parts = (folder / part for part in (*project_options(folder).get("paths", ()), "src", ""))
    return [part.resolve() for part in parts if part.is_dir()]


def load_application(name: str, *, writing: Path | None = None, folder: Path = HERE) -> Sternpost:
    """Imports the application.

    Args:
        folder: that of its project.
        writing: the module with the data client's types, where it is about to be written: it is not read.

    Raises:
        StartupError: says what to correct.
        ContractError: the contract is wrong.
        ImportFailed: a module of the application raised another error.
    """
    module_name, separator, attribute = name.partition(":")
    if not separator or not attribute:
        raise StartupError(f"{name!r} is not module:attribute, such as my_service.app:app")
    for source in import_folders(folder):
        if str(source) not in sys.path:
            sys.path.insert(0, str(source))
    with stand_in(writing):
        module = _imported(module_name, folder)
    app = getattr(module, attribute, None)
    if not isinstance(app, Sternpost):
        raise StartupError(f"{name} is not a Sternpost application")
    return app


def _imported(module_name: str, folder: Path = HERE) -> ModuleType:
    """A module of the project. Raises `StartupError`, `ContractError` and `ImportFailed`."""
    try:
        return importlib.import_module(module_name)
    except (StartupError, ContractError):
        raise
    except SystemExit as error:
        raise _import_failed(module_name, error, folder) from error
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and (module_name == missing or module_name.startswith(missing + ".")):
            raise StartupError(
                f"There is no module {module_name!r}. Run the command in the folder of the project."
            ) from error
        if _shows_all():
            raise
        raise _import_failed(module_name, error, folder) from error


def _shows_all() -> bool:
    return os.environ.get(TRACEBACK_VARIABLE) == "full"


def _import_failed(module_name: str, error: Exception | SystemExit, folder: Path) -> ImportFailed:
    """What to raise for an error in the author's code."""
    failed = ImportFailed(module_name, error)
    path = data_file(folder)
    if path is not None and any(Path(file).resolve() == path.resolve() for file in failed.files):
        from sternpost.derive.typed_data import DATA_FIX

        failed.add_note(f"{path} is generated. {DATA_FIX.format(path=path)}")
    return failed


def migrations_folder(name: str, folder: Path = HERE) -> Path:
    """Where the migrations of an application are: what pyproject.toml says, else `migrations` beside its package."""
    configured = project_options(folder).get("migrations")
    if isinstance(configured, str):
        return folder / configured
    package = importlib.import_module(name.partition(":")[0].partition(".")[0])
    if package.__file__ is None:
        return folder / "migrations"
    file = Path(package.__file__)
    beside = file.parent.parent if file.name == "__init__.py" else file.parent
    return (beside.parent if beside.name == "src" else beside) / "migrations"

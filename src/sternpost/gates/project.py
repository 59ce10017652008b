"""What gates look at: a project in its folder."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Callable, Mapping
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from sternpost.app.application import Sternpost
from sternpost.app.loading import application_name, load_application, project_options
from sternpost.compile.compiler import Compiled
from sternpost.compile.diagnostics import ContractError, Diagnostic
from sternpost.errors import StartupError
from sternpost.plan.model import Plan

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Project:
    """A project, and what it is at one moment.

    Attributes:
        root: its folder, with pyproject.toml.
        name: of the application, as module:attribute.
        application: None where the contract does not compile.
        mistakes: of the contract.
        now: by the machine's clock, with its offset.
        options: what pyproject.toml says under [tool.sternpost.gates].
        closing: what has to be ended when a gate has been run.
    """

    root: Path
    name: str
    application: Sternpost | None
    mistakes: tuple[Diagnostic, ...]
    now: datetime
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    closing: ExitStack = field(default_factory=ExitStack, compare=False, repr=False)
    _made: dict[Callable[..., Any], Any] = field(
        default_factory=dict[Callable[..., Any], Any], compare=False, repr=False
    )

    def once(self, make: Callable[[Project], T]) -> T:
        """What several criteria look at, made for the first of them. Raises its `StartupError` to each."""
        if make not in self._made:
            try:
                self._made[make] = make(self)
            except StartupError as error:
                self._made[make] = error
        made: Any = self._made[make]
        if isinstance(made, StartupError):
            raise made
        return made

    @property
    def compiled(self) -> Compiled:
        """The compiled contract; criteria are not asked where there is none."""
        assert self.application is not None, "a contract with mistakes is not looked at"
        return self.application.compiled

    @property
    def plan(self) -> Plan:
        """What the contract says."""
        return self.compiled.plan

    def folder(self, option: str, default: str) -> Path:
        """A file or folder that an option names, from the project's folder on. Raises `StartupError`."""
        named = self.options.get(option, default)
        if not isinstance(named, str) or not named:
            raise StartupError(
                f"{option} under [tool.sternpost.gates] in pyproject.toml has to be a path, not {named!r}"
            )
        return self.root / named

    def shown(self, path: Path) -> str:
        """A path as it is told: from the project's folder on."""
        return Path(os.path.relpath(path, self.root)).as_posix()


def settings_of(root: Path, *names: str) -> dict[str, Any]:
    """What pyproject.toml says under `[tool.…]` for another program; empty where it says nothing."""
    path = root / "pyproject.toml"
    found: Any = tomllib.loads(path.read_text("utf-8-sig")) if path.is_file() else {}
    for name in ("tool", *names):
        found = found.get(name, {})
    return cast("dict[str, Any]", found)


KNOWN_OPTIONS = frozenset(("adr", "auth", "emitted", "no-secrets", "released", "scans", "style", "waivers"))
ADR = "docs/adr"
EMITTED = "contract"
"""The folder that `sternpost contract emit` writes."""


def load_project(app: str | None, root: Path, now: datetime) -> Project:
    """The project in a folder.

    Raises:
        StartupError: no application is named, an option is unknown, or what is named is none.
        ImportFailed: a module of the application raised an error.
    """
    options = _options(root)
    name = application_name(app, root)
    try:
        with redirect_stdout(sys.stderr):  # what an application prints is no part of a report
            application = load_application(name, folder=root)
        return Project(root, name, application, (), now, options)
    except ContractError as error:
        return Project(root, name, None, tuple(error.diagnostics), now, options)


def _options(root: Path) -> dict[str, Any]:
    given: Any = project_options(root).get("gates", {})
    if not isinstance(given, dict):
        raise StartupError("[tool.sternpost.gates] in pyproject.toml has to be a table")
    options = cast("dict[str, Any]", given)
    unknown = sorted(set(options) - KNOWN_OPTIONS)
    if unknown:
        known = ", ".join(sorted(KNOWN_OPTIONS))
        raise StartupError(f"[tool.sternpost.gates] in pyproject.toml has no option {unknown[0]!r}; there are: {known}")
    return options

"""The factors of the API style in pyproject.toml: `[tool.sternpost.design]`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from sternpost.advice.api_style import API_STYLE
from sternpost.errors import StartupError

SECTION = "[tool.sternpost.design]"


def design_factors(folder: Path) -> dict[str, bool]:
    """What the pyproject.toml of a folder says of the service; empty where it says nothing.

    Raises:
        StartupError: the file cannot be read, a key is unknown, or a value is neither true nor false.
    """
    project = folder / "pyproject.toml"
    if not project.is_file():
        return {}
    try:
        section: dict[str, Any] = tomllib.loads(project.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise StartupError(f"pyproject.toml cannot be read: {error}") from error
    for key in ("tool", "sternpost", "design"):
        found = section.get(key, {})
        if not isinstance(found, dict):
            raise StartupError(f"{key} in pyproject.toml is no table; write {SECTION}")
        section = cast("dict[str, Any]", found)
    return _checked(section)


def design_block(factors: Mapping[str, bool]) -> str:
    """The section that says so, in the order of the table."""
    lines = [
        f"{factor.name} = {str(factors[factor.name]).lower()}" for factor in API_STYLE.factors if factor.name in factors
    ]
    return "\n".join([SECTION, *lines]) + "\n"


def _checked(found: dict[str, Any]) -> dict[str, bool]:
    known = [factor.name for factor in API_STYLE.factors]
    for key, value in found.items():
        if key not in known:
            raise StartupError(f"{SECTION} in pyproject.toml has no key {key!r}; the keys are {', '.join(known)}")
        if not isinstance(value, bool):
            raise StartupError(
                f"{key} under {SECTION} in pyproject.toml is {value!r}; write true or false. "
                f"The keys are {', '.join(known)}"
            )
    return found

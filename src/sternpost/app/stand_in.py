"""A stand-in for the module with the data client's types, while that module is written: services import it, and what
is on disk may be missing, of an older contract, or no Python at all."""

from __future__ import annotations

import re
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypedDict

from sternpost.data.database import Database
from sternpost.data.table import Table

_NAMES = re.compile(r"^(?:class )?([A-Za-z]\w*)\b", re.MULTILINE)


@contextmanager
def stand_in(file: Path | None) -> Generator[None]:
    """In the block, whatever is imported from `file` is a type that fits the uses of a generated one."""
    if file is None:
        yield
        return
    finder = _Finder(file.resolve())
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds the stand-in wherever Python would look for the file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module's, where its name leads to the file."""
        name = fullname.rpartition(".")[2]
        for folder in sys.path if path is None else path:
            whole = Path(folder or ".").resolve()
            if self.file in (whole / f"{name}.py", whole / name / "__init__.py"):
                return spec_from_file_location(fullname, self.file, loader=_Loader(self.file))
        return None


class _Loader(Loader):
    def __init__(self, file: Path) -> None:
        self.file = file

    def exec_module(self, module: ModuleType) -> None:
        """Gives the module any name that is asked of it."""
        made: dict[str, Any] = {"Data": type("Data", (Database,), {})}

        def attribute(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            if name not in made:  # a table is a class with parameters, anything else describes a dictionary or a value
                made[name] = type(name, (Table,), {}) if name.endswith("Table") else TypedDict(name, {}, total=False)  # pyright: ignore
            return made[name]

        module.__dict__["__getattr__"] = attribute
        module.__dict__["__all__"] = ["Data", *self._names()]  # for `from … import *`

    def _names(self) -> list[str]:
        try:
            text = self.file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return []
        return [name for name in dict.fromkeys(_NAMES.findall(text)) if name not in ("from", "import", "Data")]

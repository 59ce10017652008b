"""Errors of Python in an author's own modules: shown with the author's frames, without those of importing."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from traceback import StackSummary, TracebackException

from sternpost.contract.source import relative_path

TRACEBACK_VARIABLE = "STERNPOST_TRACEBACK"
"""Set to `full`, errors are shown with every frame."""

_OF_OTHERS = (Path(sysconfig.get_path("stdlib")).resolve(), Path(__file__).resolve().parents[1])
_INSTALLED = frozenset({"site-packages", "dist-packages"})


class ImportFailed(Exception):
    """A module of the application raised an error while it was imported.

    Attributes:
        files: where the author's code stood, and what it imported, the outermost first.
    """

    def __init__(self, module: str, error: Exception | SystemExit) -> None:
        shown = TracebackException.from_exception(error)
        own = _packages(module)
        for part in _chain(shown):
            part.stack = StackSummary.from_list([frame for frame in part.stack if _is_own(frame.filename, own)])
        self.files = [*(frame.filename for frame in shown.stack), *_named(error)]
        for part in _chain(shown):
            for frame in part.stack:
                frame.filename = relative_path(frame.filename)
        if isinstance(error, SystemExit):  # it has said what it wanted to
            super().__init__(f"{module} cannot be imported: it ends the process, with: {error.code}")
            return
        lines = "".join(shown.format()).rstrip()
        super().__init__(
            f"{module} cannot be imported\n{lines}\n\n"
            f"These are the lines of your own files; {TRACEBACK_VARIABLE}=full shows all."
        )


def _chain(shown: TracebackException) -> Iterator[TracebackException]:
    """An error, those that it came of, and those that it is a group of."""
    yield shown
    for other in (shown.__cause__, shown.__context__, *(shown.exceptions or ())):
        if other is not None:
            yield from _chain(other)


def _packages(module: str) -> list[Path]:
    """The folders of the application's package: it is the author's wherever it is installed."""
    try:
        spec = find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return []
    return [Path(folder).resolve() for folder in (spec.submodule_search_locations or ())] if spec else []


def _is_own(file: str, packages: list[Path]) -> bool:
    path = Path(file)
    if file.startswith("<"):  # code without a file, such as Python's own import
        return False
    whole = path.resolve()
    if any(whole.is_relative_to(folder) for folder in packages):
        return True
    return not (_INSTALLED & set(whole.parts) or any(whole.is_relative_to(folder) for folder in _OF_OTHERS))


def _named(error: BaseException) -> Iterator[str]:
    """The file that an error is about, although no line of it has run."""
    if isinstance(error, SyntaxError) and error.filename:
        yield error.filename
    elif isinstance(error, ImportError) and error.path:
        yield error.path

"""What commands print: the one place that every line passes on its way to a terminal.

Names, values and errors come from databases, files and clients. Whatever a terminal would obey or hide is shown as an
escape (`sternpost.visible`), in text as well as in JSON.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import orjson
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.measure import Measurement
from rich.segment import Segment, Segments
from rich.table import Table

from sternpost import exact_json
from sternpost.errors import StartupError
from sternpost.visible import visible, visible_json

_COLORS = re.compile(r"(\x1b\[[0-9;]*m)")
_WIDE = 1_000_000
"""More columns than any table needs."""


class Terminal(Console):
    """A console of rich that prints nothing a terminal obeys, but its own colors.

    Values inside markup go through `shown` first: it also keeps them on their line, and from being read as markup.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        super().__init__(stderr=stderr, highlight=False, emoji=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of anything, with its text made visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text, keep="\n"), segment.style)

    def print(self, *objects: Any, soft_wrap: bool | None = True, **options: Any) -> None:
        """Prints each text as one line, which a narrow terminal wraps by itself: a line break of ours would cut
        names and paths in two, and other programs read lines."""
        super().print(*objects, soft_wrap=soft_wrap, **options)

    def table(self, table: Table) -> None:
        """Prints a table. No word of it is cut: where the terminal is too narrow, the table is wider. For other
        programs, each row is one line."""
        options = self.options.update(max_width=_WIDE)
        for column in table.columns:  # without this rich cuts the words of the widest columns first
            cells = (column.header, *column.cells)
            column.min_width = max(Measurement.get(self, options, cell).minimum for cell in cells)
        measured = Measurement.get(self, options, table)
        needed = measured.minimum if self.is_terminal else measured.maximum
        wide = self.options.update(width=max(self.width, needed))
        self.print(Segments(list(self.render(table, wide))), end="")


out = Terminal()
errors = Terminal(stderr=True)


def shown(value: object) -> str:
    """A value, to be put into markup: on one line, and as it is."""
    return escape(visible(str(value)))


def shown_lines(text: str) -> str:
    """A text of several lines, to be put into markup."""
    return escape(visible(text, keep="\n"))


def print_error(message: str) -> None:
    """What a user can correct."""
    errors.print(f"[red bold]error:[/] {shown_lines(message)}")


def print_plain(text: str) -> None:
    """Text for other programs, without colors and wrapping."""
    sys.stdout.write(visible(text, keep="\n\t"))


def print_json(data: Any, *, indented: bool = False) -> None:
    """JSON for other programs, on a line of its own."""
    option = orjson.OPT_APPEND_NEWLINE | (orjson.OPT_INDENT_2 if indented else 0)
    print_bytes(visible_json(exact_json.dumps(data, option)))


def print_bytes(data: bytes) -> None:
    """Bytes that are visible already."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write_file(path: Path, content: bytes) -> None:
    """Writes a file, and the folders that it is in. Raises `StartupError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise StartupError(f"{path} cannot be written: {error.strerror}") from error


class VisibleStream:
    """A text stream for what others print in this process: the command parser, warnings, an application's own
    `print`. Colors pass where the stream is a terminal; `Terminal` has made all else visible before."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Writes the text; gives the number of its characters."""
        if text.isascii() and text.isprintable():
            self._stream.write(text)
        elif self._colored():
            parts = _COLORS.split(text)
            self._stream.write("".join(visible(part, "\n\t") if at % 2 == 0 else part for at, part in enumerate(parts)))
        else:
            self._stream.write(visible(text, "\n\t"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Writes the lines."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _colored(self) -> bool:
        return (errors if self._stream is sys.__stderr__ else out).color_system is not None


def guard_output() -> None:
    """From here on all that this process prints as text is visible, tracebacks included."""
    sys.stdout = VisibleStream(sys.stdout)  # pyright: ignore[reportAttributeAccessIssue]
    sys.stderr = VisibleStream(sys.stderr)  # pyright: ignore[reportAttributeAccessIssue]
    sys.excepthook = _print_traceback


def _print_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """As Python prints it, but messages of exceptions may hold values of rows."""
    sys.stderr.write(visible("".join(traceback.format_exception(kind, error, trace)), "\n\t"))

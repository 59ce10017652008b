"""Writes log lines to a stream, those of several processes on one pipe without mixing them."""

from __future__ import annotations

import asyncio
import os
import stat
from typing import BinaryIO

PIPE_BYTES = 4096
"""What Linux writes to a pipe as a whole (PIPE_BUF in pipe(7)): lines of several processes do not run into each other.
"""

FILE_BYTES = 1 << 20
"""What is written to a file at once: what several processes append there does not mix."""


def _is_file(stream: BinaryIO) -> bool:
    try:
        return stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
    except OSError:  # it has no descriptor, such as one in memory
        return False


class Output:
    """Writes lines to a stream: those of one turn of the event loop at once, at its end. Outside a loop each
    at once."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self._bytes_max = FILE_BYTES if _is_file(stream) else PIPE_BYTES
        self._lines: list[bytes] = []
        self._flushing: asyncio.AbstractEventLoop | None = None
        """The loop that will write what is there."""

    def write(self, line: bytes) -> None:
        """Takes a line with its newline."""
        self._lines.append(line)
        if self._flushing is not None and not self._flushing.is_closed():
            return
        loop = asyncio._get_running_loop()  # pyright: ignore[reportPrivateUsage]  (documented: None where none runs)
        if loop is None:
            self.flush()
        else:
            self._flushing = loop
            loop.call_soon(self.flush)

    def flush(self) -> None:
        """Writes what is there."""
        lines, self._lines, self._flushing = self._lines, [], None
        joined = b"".join(lines)
        if len(joined) <= self._bytes_max:
            self._at_once(joined)
            return
        while lines:  # several processes may share the pipe
            count = size = 0
            while count < len(lines) and (count == 0 or size + len(lines[count]) <= self._bytes_max):
                size += len(lines[count])
                count += 1
            self._at_once(b"".join(lines[:count]))
            del lines[:count]

    def _at_once(self, chunk: bytes) -> None:
        if chunk:
            self.stream.write(chunk)
            self.stream.flush()

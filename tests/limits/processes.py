"""Processes that count, for tests to stop and kill."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.support.server import ROOT, environment


class Counter:
    """A process of `counting.py`."""

    def __init__(self, where: str | int, *words: str | int, pass_fds: Sequence[int] = ()) -> None:
        descriptors = [*pass_fds, *([where] if isinstance(where, int) else [])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.limits.counting", str(where), *map(str, words)],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=descriptors,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        found = self.process.stdout.readline().decode().strip()
        assert found, "it has ended"
        return found

    def tell(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


@contextmanager
def counters(number: int, where: str | int, *words: str | int) -> Iterator[list[Counter]]:
    """So many, ready to count."""
    started = [Counter(where, *words) for _ in range(number)]
    try:
        assert [each.line() for each in started] == ["ready"] * number
        yield started
    finally:
        for each in started:
            each.kill()

"""Counts the lines of one kind that come too often within a second, instead of writing all of them.

A fault that every request meets would fill the log with one and the same line, and hide the others. The first lines of
a kind always come; of the rest one line tells how many there were.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sternpost.clock import Clock

KINDS_MAX = 1000
"""How many kinds are told apart within a second. What is beyond shares one place for each level."""


@dataclass(slots=True)
class Repeated:
    """Lines of one kind.

    Attributes:
        members: of the last line that was left out: what all of the kind have in common.
    """

    level: str
    message: str
    members: Mapping[str, Any]
    written: int = 0
    left_out: int = 0


class Sampling:
    """Decides for each line whether it is written.

    Args:
        most: lines of one kind a second; 0 for all.
        tell: writes the one line of those that were left out, at the end of their second.
    """

    def __init__(self, most: int, clock: Clock, tell: Callable[[Repeated], None]) -> None:
        self._most = most
        self._clock = clock
        self._tell = tell
        self._second = 0
        self._kinds: dict[object, Repeated] = {}
        self._waiting: asyncio.AbstractEventLoop | None = None
        """The loop that ends the second where no other line comes."""

    def admits(self, kind: object, level: str, message: str, members: Mapping[str, Any]) -> bool:
        """Whether a line is written; else it is counted.

        Args:
            members: what all lines of the kind have in common.
        """
        if not self._most:
            return True
        second = int(self._clock.monotonic())
        if second != self._second:
            self.end_second()
            self._second = second
        found = self._kinds.get(kind)
        if found is None:
            if len(self._kinds) >= KINDS_MAX:
                found = self._kinds.setdefault(level, Repeated(level, "Lines of many kinds", {}))
            else:
                found = self._kinds[kind] = Repeated(level, message, members)
        if found.written < self._most:
            found.written += 1
            return True
        found.left_out += 1
        self._end_later()
        return False

    def end_second(self) -> None:
        """Tells of what was left out up to now."""
        kinds, self._kinds = self._kinds, {}
        for each in kinds.values():
            if each.left_out:
                self._tell(each)

    def _end_later(self) -> None:
        """Where nothing else is logged, the loop ends the second. Outside a loop the next line does, or the end."""
        if self._waiting is not None and not self._waiting.is_closed():
            return
        loop = asyncio._get_running_loop()  # pyright: ignore[reportPrivateUsage]  (documented: None where none runs)
        self._waiting = loop
        if loop is not None:
            loop.call_later(1 - self._clock.monotonic() % 1, self._end_now)

    def _end_now(self) -> None:
        self._waiting = None
        self.end_second()

"""The lowest level that is logged: that of the settings, or for a time another one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sternpost.telemetry.events import Level

LEVELS: Mapping[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class LevelOverride:
    """What holds for a time instead of the setting.

    Attributes:
        until: when it ends; None while there is none, which is the one thing that each line asks.
    """

    def __init__(self) -> None:
        self.until: datetime | None = None
        self._level: Level = "info"

    def set(self, level: Level, until: datetime) -> None:
        """Puts a level in force until then."""
        self._level, self.until = level, until

    def clear(self) -> None:
        """The setting holds again."""
        self.until = None

    def level(self, setting: Level, now: datetime) -> Level:
        """What holds now. One that has expired is forgotten."""
        if self.until is not None and now >= self.until:
            self.until = None
        return setting if self.until is None else self._level

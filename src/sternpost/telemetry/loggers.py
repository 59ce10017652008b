"""Loggers for the author's code, by structlog. It takes memory, so it is imported only where there is such code."""

from __future__ import annotations

import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

_LEVELS = {"warn": "warning", "exception": "error", "critical": "error"}
"""Names of structlog that are others here."""

Write = Callable[[str, str, MutableMapping[str, Any], BaseException | None], None]
"""Writes a line: its level, its text, its members, and the error that it is about."""


def bound_logger(write: Write) -> Any:
    """A logger whose lines go to `write`."""

    def emit(_: Any, level: str, event: MutableMapping[str, Any]) -> str:
        with_stack = event.pop("exc_info", level == "exception")  # as in `logging`
        message = str(event.pop("event", ""))
        write(_LEVELS.get(level, level), message, event, sys.exception() if with_stack else None)
        raise structlog.DropEvent

    return structlog.wrap_logger(None, processors=[emit], wrapper_class=structlog.BoundLogger)


def plain_logger() -> Any:
    """A logger for the author's code where it runs for no request."""
    return structlog.get_logger()

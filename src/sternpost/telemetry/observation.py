"""What is observed of one request. The log line is read from it, and later the metrics and the span."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Protocol

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


class Sink(Protocol):
    """What is told of a request while it is executed: the log."""

    def error(self, observation: Observation, error: BaseException) -> None:
        """An error that the request ends with."""
        ...

    def bound(self, observation: Observation) -> Any:
        """A logger that carries the request's ids."""
        ...


class Unobserved:
    """A sink that keeps nothing: what is asked for a mounted application is part of that one's request."""

    def error(self, observation: Observation, error: BaseException) -> None:
        """Keeps nothing: whoever asks is told the error."""

    def bound(self, observation: Observation) -> Any:
        """No logger: no function of the author's runs."""
        return None


@dataclass
class Observation:
    """One request, from its first byte to its last. What most requests do not set stands on the class."""

    log: Sink
    request_id: str
    trace_id: str
    span_id: str
    parent_span_id: str | None
    started: float
    method: str
    path: str
    operation: str | None = field(init=False, default=None)
    success_message: str = field(init=False, default="")
    user_id: str | None = field(init=False, default=None)
    status: int = field(init=False, default=0)
    statements: int = field(init=False, default=0)
    error_code: str | None = field(init=False, default=None)
    api_version: str | None = field(init=False, default=None)
    """Told where the service has several."""

    def logger(self) -> Any:
        """A logger for the author's code that carries this request's ids."""
        return self.log.bound(self)


def trace_context(traceparent: str) -> tuple[str, str] | None:
    """The trace id and the caller's span id, from a W3C `traceparent` (version 00 or later); None where it is none."""
    found = _TRACEPARENT.fullmatch(traceparent) if len(traceparent) <= 256 else None
    if found is None or (traceparent.startswith("00") and found.group(3)):
        return None
    return found.group(1), found.group(2)

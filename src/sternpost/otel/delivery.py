"""What became of what was sent: told once when it begins to fail, and once when it succeeds again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from sternpost.telemetry.events import Event, OtlpFails, OtlpLost, OtlpOverruns, OtlpSucceeds

Tell = Callable[[Event], None]
"""Tells an event. Called in any thread."""

EXPORTERS = logging.getLogger("opentelemetry.exporter")
READERS_OF_HEADERS = ("opentelemetry.baggage.propagation", "opentelemetry.trace.span")
"""Loggers of the SDK that write out each `baggage` and `tracestate` that is not well-formed: what a client sends."""


class Said(logging.Handler):
    """Keeps what the exporters say last, each in its own thread: that is why they have failed. They would say it each
    time that they try; the log tells it once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._last: dict[int, str] = {}
        self._propagated = True

    def emit(self, record: logging.LogRecord) -> None:
        self._last[threading.get_ident()] = record.getMessage()[:500]

    def taken(self) -> str | None:
        """What was said last in this thread, once."""
        return self._last.pop(threading.get_ident(), None)

    def listen(self) -> None:
        """From now on nobody else hears it."""
        EXPORTERS.addHandler(self)
        self._propagated, EXPORTERS.propagate = EXPORTERS.propagate, False
        for name in READERS_OF_HEADERS:
            logging.getLogger(name).addFilter(_nothing)

    def leave(self) -> None:
        """The other way round."""
        EXPORTERS.removeHandler(self)
        EXPORTERS.propagate = self._propagated
        for name in READERS_OF_HEADERS:
            logging.getLogger(name).removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False


OVERRUN_SECONDS = 60.0
"""How often it is told at most that records make room for others."""


class Delivery:
    """What became of the records of one signal.

    Args:
        now: the monotonic clock.
    """

    def __init__(self, signal: str, tell: Tell, said: Said, now: Callable[[], float]) -> None:
        self._signal = signal
        self._now = now
        self._dropped = 0
        self._told_at = -OVERRUN_SECONDS
        self._tell = tell
        self._said = said
        self._fails = False
        self.sent = 0
        self.lost = 0
        """How many records the receiver has not taken."""

    def note(self, count: int, *, succeeded: bool, dropped: int = 0) -> None:
        """A request has ended.

        Args:
            count: its records.
            dropped: how many records have made room for others since the start.
        """
        if dropped > self._dropped:
            self._dropped = dropped
            if self._now() - self._told_at >= OVERRUN_SECONDS:
                self._told_at = self._now()
                self._tell(OtlpOverruns(signal=self._signal, dropped=dropped))
        reason = self._said.taken()
        if succeeded:
            self.sent += count
            if self._fails:
                self._fails = False
                self._tell(OtlpSucceeds(signal=self._signal, lost=self.lost))
            return
        self.lost += count
        if not self._fails:
            self._fails = True
            self._tell(OtlpFails(signal=self._signal, reason=reason))

    def end(self, dropped: int) -> None:
        """Nothing is sent any more; so many records had made room for others, or were left."""
        if self.lost + dropped:
            self._tell(OtlpLost(signal=self._signal, lost=self.lost, dropped=dropped))

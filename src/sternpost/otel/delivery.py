"""What became of what was sent: told once when it begins to fail, and once when it succeeds again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

from sternpost.telemetry.events import Event, OtlpFails, OtlpLost, OtlpOverruns, OtlpSucceeds

Tell = Callable[[Event], None]
"""Tells an event. Called in any thread."""

EXPORTERS = logging.getLogger("opentelemetry.exporter")
READERS_OF_HEADERS = ("opentelemetry.baggage.propagation", "opentelemetry.trace.span")
"""Loggers of the SDK that write out each `baggage` and `tracestate` that is not well-formed: what a client sends."""


class Said(logging.Handler):
    """Keeps what the exporters say of a request, each in its own thread: that is why they have failed. They would say
    it each time that they try; the log tells it once. The first warning has the cause, such as that nobody listens at
    the address; what follows it, and the error at the end, may be of their giving up alone."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._first: dict[int, dict[int, str]] = {}
        """What was said first at each level, by thread."""
        self._propagated = True
        self._filters: list[tuple[logging.Logger, list[Any]]] = []
        """Of the exporters, while they are put aside."""

    def emit(self, record: logging.LogRecord) -> None:
        said = self._first.setdefault(threading.get_ident(), {})
        said.setdefault(record.levelno, record.getMessage()[:500])

    def taken(self) -> str | None:
        """What was said in this thread since it was asked last: the error, and the warning before it."""
        said = self._first.pop(threading.get_ident(), {})
        return " ".join(said[level] for level in sorted(said, reverse=True)) or None

    def listen(self) -> None:
        """From now on nobody else hears it."""
        EXPORTERS.addHandler(self)
        self._propagated, EXPORTERS.propagate = EXPORTERS.propagate, False
        # they leave out what another signal's exporter has just said, so that this one's failure would have no cause
        for name, each in list(logging.Logger.manager.loggerDict.items()):
            if name.startswith(f"{EXPORTERS.name}.") and isinstance(each, logging.Logger):
                self._filters.append((each, each.filters))
                each.filters = []
        for name in READERS_OF_HEADERS:
            logging.getLogger(name).addFilter(_nothing)

    def leave(self) -> None:
        """The other way round."""
        EXPORTERS.removeHandler(self)
        EXPORTERS.propagate = self._propagated
        for each, filters in self._filters:
            each.filters = filters
        self._filters.clear()
        for name in READERS_OF_HEADERS:
            logging.getLogger(name).removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False


OVERRUN_SECONDS = 60.0
"""How often it is told at most that records make room for others."""


class Delivery:
    """What became of the records of one signal.

    Args:
        endpoint: where it is sent to.
        now: the monotonic clock.

    Attributes:
        ending: whether the service ends: then one line tells of all signals what was lost, and why.
        reason: why the receiver does not take what it is sent; None while it does.
    """

    def __init__(self, signal: str, endpoint: str, tell: Tell, said: Said, now: Callable[[], float]) -> None:
        self.signal = signal
        self.endpoint = endpoint
        self.ending = False
        self.reason: str | None = None
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
            if self._now() - self._told_at >= OVERRUN_SECONDS and not self.ending:
                self._told_at = self._now()
                self._tell(OtlpOverruns(signal=self.signal, dropped=dropped))
        reason = self._said.taken()
        if succeeded:
            self.sent += count
            self.reason = None
            if self._fails:
                self._fails = False
                self._tell(OtlpSucceeds(signal=self.signal, lost=self.lost))
            return
        self.lost += count
        if self.reason is None or not self.ending:  # at the end, later ones say that the exporter was closed
            self.reason = reason
        if not (self._fails or self.ending):
            self._fails = True
            self._tell(OtlpFails(signal=self.signal, endpoint=self.endpoint, reason=reason))


def lost_by(ended: Sequence[tuple[Delivery, int]]) -> OtlpLost | None:
    """What is told at the end, when nothing is sent any more; None where nothing was lost.

    Args:
        ended: each signal, with how many of its records had made room for others, or were left.
    """
    losing = [(delivery, dropped) for delivery, dropped in ended if delivery.lost + dropped]
    if not losing:
        return None
    failed = next((delivery for delivery, _ in losing if delivery.reason is not None), None)
    return OtlpLost(
        lost=sum(delivery.lost for delivery, _ in losing),
        dropped=sum(dropped for _, dropped in losing),
        signals={delivery.signal: {"lost": delivery.lost, "dropped": dropped} for delivery, dropped in losing},
        endpoint=None if failed is None else failed.endpoint,
        reason=None if failed is None else failed.reason,
    )

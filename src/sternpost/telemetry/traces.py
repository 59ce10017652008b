"""What is recorded of a call for its trace while it is carried out: as little as possible, because spans are made of it
elsewhere and later. Nothing here knows who sends them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sternpost.telemetry.observation import Observation, Tracing
from sternpost.telemetry.timings import Timings
from sternpost.telemetry.waiting import Waiting


class Traces:
    """The reader that keeps the calls of which spans are made.

    Args:
        sampled: whether there is to be a span of a call.
        statements: whether what the call waits for is recorded, too.
        now: the monotonic clock.
    """

    def __init__(
        self,
        waiting: Waiting[Any],
        sampled: Callable[[Observation], bool],
        tracing: Tracing,
        now: Callable[[], float],
        *,
        statements: bool,
    ) -> None:
        self.waiting = waiting
        self._put = waiting.put
        self._sampled = sampled
        self._tracing = tracing
        self._now = now
        self._statements = statements

    def begins(self, observation: Observation) -> None:
        """A call begins: whether there will be a span of it is decided here, so that whatever it calls is told."""
        observation.tracing = self._tracing
        if self._sampled(observation):
            observation.sampled = True
            if self._statements:
                observation.timings = Timings(self._now)

    def failed(self, observation: Observation, error: BaseException) -> None:
        """Notes the type of an error that has no code of the catalogue."""
        if observation.sampled and observation.error_code is None:
            observation.error_type = type(error).__qualname__

    def told(self, event: object, observation: Observation | None) -> None:
        """Nothing: what happens beside calls is told by log lines."""

    def finished(self, observation: Observation) -> None:
        """Keeps it, as it is: nothing changes it any more."""
        if observation.sampled:
            self._put(observation)

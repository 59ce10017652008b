"""Where everything that can be observed is told: the log, and whatever else makes something of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from sternpost.clock import Clock
from sternpost.telemetry.events import Event
from sternpost.telemetry.log import Log, Write
from sternpost.telemetry.measured import Labels, Snapshot
from sternpost.telemetry.observation import Observation


class Reader(Protocol):
    """What makes something of observations: log lines, metrics, spans."""

    def failed(self, observation: Observation, error: BaseException) -> None:
        """A call ends with an error."""
        ...

    def finished(self, observation: Observation) -> None:
        """A call has ended. Called for each, and so in the way of all of them."""
        ...

    def told(self, event: Event, observation: Observation | None) -> None:
        """Something happened, in a call or in none."""
        ...


RouteOf = Callable[[str], str | None]
"""The address that a path stands for, such as `/api/v1/users/{id}`; None where there is none."""


class Export(Protocol):
    """What sends what is observed to somewhere else."""

    @property
    def begins(self) -> Callable[[Observation], None] | None:
        """Told that a call begins; None where nobody wants to know."""
        ...

    def readers(self) -> Sequence[Reader]:
        """What is told of calls."""
        ...

    @property
    def sends_metrics(self) -> bool:
        """Whether it sends what is measured, too."""
        ...

    def measured_by(self, snapshot: Callable[[], Snapshot]) -> None:
        """Where it reads that; called in the event loop."""
        ...

    def readings(self) -> Iterable[tuple[str, Labels, float]]:
        """How much could not be sent, as metrics."""
        ...

    def writing(self, write: Write) -> Write:
        """What takes log lines, before `write` does."""
        ...

    def start(self, route_of: RouteOf) -> None:
        """Begins to send, in the process and the event loop that serve."""
        ...

    async def stop(self) -> None:
        """Sends what waits, within a time limit."""
        ...


class Telemetry:
    """Tells each reader, the log first.

    Args:
        log: also what the author's code logs to.
        more: the other readers.
        export: where what is observed is sent; None for nowhere.
    """

    def __init__(self, log: Log, clock: Clock, more: Sequence[Reader] = (), export: Export | None = None) -> None:
        self.log = log
        self.export = export
        self.begins: Callable[[Observation], None] | None = None
        """Told that a call begins; None where nobody wants to know."""
        if export is not None:
            self.begins = export.begins
            more = (*more, *export.readers())
            log.write = export.writing(log.write)
        self._clock = clock
        readers: Sequence[Reader] = (log, *more)
        self._finished = tuple(reader.finished for reader in readers)
        self._failed = tuple(reader.failed for reader in readers)
        self._told = tuple(reader.told for reader in readers)

    def failed(self, observation: Observation, error: BaseException) -> None:
        """A call ends with an error."""
        for failed in self._failed:
            failed(observation, error)

    def watch(self, failed: Callable[[Observation, BaseException], None]) -> None:
        """Tells somebody who is no reader of errors, too."""
        self._failed = (*self._failed, failed)

    def finished(self, observation: Observation) -> None:
        """A call has ended: as its protocol says that it did."""
        observation.ended = self._clock.monotonic()
        for finished in self._finished:
            finished(observation)

    def tell(self, event: Event, observation: Observation | None = None) -> None:
        """Something happened: in the call of the observation, or in none."""
        for told in self._told:
            told(event, observation)

    def flush(self) -> None:
        """Nothing is told from here on: writes what waits for more of its kind."""
        self.log.flush()

    def start(self, route_of: RouteOf) -> None:
        """Begins to send what is observed, in the process and the event loop that serve."""
        if self.export is not None:
            self.export.start(route_of)

    async def stop(self) -> None:
        """Sends what waits."""
        if self.export is not None:
            await self.export.stop()

    def bound(self, observation: Observation) -> Any:
        """A logger for the author's code that carries the call's ids."""
        return self.log.bound(observation)

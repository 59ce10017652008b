"""Makes the metrics of an application, with all that is read of it when somebody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from sternpost.clock import Clock
from sternpost.plan.limits import limit_id
from sternpost.plan.model import BATCH, Plan
from sternpost.ports.storage import Storage
from sternpost.protocols.http.health import PLACE as HEALTH
from sternpost.protocols.http.mounts import place_of
from sternpost.protocols.rest.docs import PLACE as DOCS
from sternpost.settings import Settings
from sternpost.telemetry.metric_names import (
    BUILD,
    IN_FLIGHT,
    KEYS,
    LIMIT_DECISIONS,
    OUTBOX_EVENTS,
    POOL_IN_USE,
    POOL_SIZE,
    POOL_WAIT_SECONDS,
    POOL_WAITING,
    POOL_WAITS,
    START_TIME,
)
from sternpost.telemetry.metrics import Metrics, Reading
from sternpost.telemetry.process import CollectorPauses, LoopLag, process_readings
from sternpost.telemetry.telemetry import Export
from sternpost.version import __version__


class ServiceMetrics(Metrics):
    """The metrics of a started application.

    Args:
        plans: of all versions of the API, the newest first.
        mounts: the prefixes of mounted applications.
        in_flight: how many requests are being worked on.

    Attributes:
        limit_decisions, keys: what the pipeline counts itself; None where there is nothing to count.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        mounts: Iterable[str],
        clock: Clock,
        storage: Storage,
        in_flight: Callable[[], int],
    ) -> None:
        operations = dict.fromkeys(name for plan in plans for name in (*plan.operations, *(BATCH,) * bool(plan.batch)))
        super().__init__(operations, (HEALTH, DOCS, *map(place_of, mounts)), clock)
        self._plan = plans[0]
        self._storage = storage
        self._in_flight = in_flight
        self._lag = LoopLag()
        self._pauses = CollectorPauses()
        limits = dict.fromkeys(name for plan in plans for name in _limits(plan))
        decisions = ("allowed", "refused")
        self.limit_decisions = (
            self.tally(LIMIT_DECISIONS, ((name, each) for name in limits for each in decisions)) if limits else None
        )
        events = ("carried_out", "replayed", "reused", "in_use", "waited")
        keeps = any(plan.keeps_answers for plan in plans)
        self.keys = self.tally(KEYS, ((each,) for each in events)) if keeps else None
        self.add(self._readings, self._pools, self._lag.read, self._pauses.read, process_readings)

    def start(self) -> None:
        """Begins to look at the running event loop."""
        self._lag.start()
        self._pauses.start()

    def stop(self) -> None:
        """Ends that."""
        self._lag.stop()
        self._pauses.stop()

    def _readings(self) -> Iterator[Reading]:
        yield BUILD.name, (__version__, self._plan.version), 1
        yield START_TIME.name, (), self.started_at
        yield IN_FLIGHT.name, (), self._in_flight()
        if self._plan.emits:
            yield OUTBOX_EVENTS.name, (), self._storage.events_written

    def _pools(self) -> Iterator[Reading]:
        for pool in self._storage.pools():
            labels = (pool.name,)
            yield POOL_SIZE.name, labels, pool.size
            yield POOL_IN_USE.name, labels, pool.in_use
            yield POOL_WAITING.name, labels, pool.waiting
            if pool.waits is not None and pool.wait_seconds is not None:
                yield POOL_WAITS.name, labels, pool.waits
                yield POOL_WAIT_SECONDS.name, labels, pool.wait_seconds


def make_metrics(
    settings: Settings,
    plans: Sequence[Plan],
    mounts: Iterable[str],
    clock: Clock,
    storage: Storage,
    in_flight: Callable[[], int],
    export: Export | None,
) -> ServiceMetrics | None:
    """The metrics; None where nobody can read them, and `export` does not send them."""
    sent = export is not None and export.sends_metrics
    if settings.ops_token is None and not sent:
        return None
    metrics = ServiceMetrics(plans, mounts, clock, storage, in_flight)
    if export is not None:
        metrics.add(export.readings)
        export.measured_by(metrics.snapshot)
    return metrics


def _limits(plan: Plan) -> Iterator[str]:
    """The ids of the limits of a plan."""
    for limit, owner in plan.limits_with_owners():
        yield limit_id(None if owner is None else owner[1].id, limit)

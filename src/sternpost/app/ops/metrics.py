"""`/metrics` on the ops port: what all processes of a service have measured, as one, for Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sternpost.app.ops.exposition import written
from sternpost.app.ops.fleet import Fleet
from sternpost.app.ops.pages import OpsAnswer, OpsRequest, Pages
from sternpost.telemetry.measured import Labels, Snapshot, Sum, Value, Values
from sternpost.telemetry.metric_names import BY_NAME, WORKER_UP

ALONE = "1"
"""What the process is called that serves alone: as the first of several workers."""


class Totals:
    """What the processes of a service have counted since it started, those that have ended included: what is asked
    again never finds less. A process that is killed leaves what it had told last."""

    def __init__(self) -> None:
        self._last: dict[int, Snapshot] = {}
        """Of each process that has not ended, by its pid."""
        self._ended = Sum(BY_NAME)

    def seen(self, pid: int, snapshot: Snapshot) -> None:
        """What a process has measured up to now."""
        self._last[pid] = snapshot

    def end(self, pid: int) -> None:
        """A process has ended. Its window goes with it."""
        last = self._last.pop(pid, None)
        if last is not None:
            self._ended.add(last.values, ("counter", "histogram"))

    def values(self, pids: Sequence[int]) -> dict[str, dict[Labels, Value]]:
        """All that is counted.

        Args:
            pids: those that have just been asked, and have answered: of others, the last minutes are others.
        """
        total = Sum(BY_NAME)
        total.add(self._ended.values)
        for pid, snapshot in self._last.items():
            total.add(snapshot.values, ("counter", "histogram", "window") if pid in pids else ("counter", "histogram"))
        return total.values


@dataclass(frozen=True, slots=True)
class Measured:
    """What a scrape tells.

    Attributes:
        totals: counters, histograms and windows of all processes together.
        workers: what each process has now, by its name; only the gauges of it are told.
    """

    totals: Values
    workers: Mapping[str, Values]


class MetricPages:
    """The page of metrics.

    Args:
        fleet: the processes that measure.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._totals = Totals()
        self._asking = asyncio.Lock()
        self._newer: set[int] = set()
        """The processes that have said something since they were asked: their answers are older than that."""

    def pages(self) -> Pages:
        """By path and method."""
        return {"/metrics": {"GET": self.metrics}}

    async def metrics(self, request: OpsRequest) -> OpsAnswer:
        """In the text format of Prometheus, or in that of OpenMetrics where it is asked for."""
        async with self._asking:  # two that ask at the same time must not see each other's past
            measured = await self._ask()
        return OpsAnswer(content=await asyncio.to_thread(written, measured.totals, measured.workers, request.accept))

    def told(self, pid: int, snapshot: Mapping[str, Any]) -> None:
        """The last words of a process."""
        self._newer.add(pid)
        self._totals.seen(pid, Snapshot.read(snapshot))

    def ended(self, pid: int) -> None:
        """A process has ended."""
        self._newer.add(pid)
        self._totals.end(pid)

    async def _ask(self) -> Measured:
        self._newer.clear()
        workers: dict[str, Values] = {}
        answered: list[int] = []
        for each in await self._fleet.ask({"do": "metrics"}):
            name = ALONE if each.worker is None else str(each.worker)
            workers[name] = {WORKER_UP.name: {(): 1 if each.answer else 0}}
            if each.answer and each.pid not in self._newer:
                snapshot = Snapshot.read(each.answer)
                self._totals.seen(each.pid, snapshot)
                answered.append(each.pid)
                workers[name] = {**snapshot.values, **workers[name]}
        return Measured(self._totals.values(answered), workers)

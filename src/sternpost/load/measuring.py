"""Carries a load out, phase by phase, and measures it against the objectives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sternpost.errors import StartupError
from sternpost.load.histogram import Histogram
from sternpost.load.job import Answered, Job, Outcome
from sternpost.load.scenario import Path, Scenario
from sternpost.scratch.service import ScratchService

Kind = Literal["smoke", "load", "stress", "soak", "spike"]

CONNECTIONS_MAX = 256
LAG_MS_MAX = 10.0
"""The 99th percentile of how late the generator itself was, above which a run says nothing of the service."""

BUSY_MAX = 0.85
"""The share of the time in which the generator was busy, above which it cannot keep the times."""

SERVED_LEAST = 0.97
"""The share of the calls of a second that has to be answered in it."""

REFUSED_MAX = 0.01
"""The share of calls that may be refused: what is refused is not what the operation does."""

STEP_FACTOR = 1.4
STEPS_MAX = 20
STEP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a run.

    Attributes:
        factor: of the declared rates.
    """

    name: str
    seconds: float
    factor: float


def phases_of(kind: Kind, seconds: float) -> list[Phase]:
    """The phases of a run; those of `stress` follow from what each finds."""
    match kind:
        case "smoke":
            return [Phase("smoke", min(seconds, 5.0), 0.1)]
        case "load" | "soak":
            return [Phase(kind, seconds, 1.0)]
        case "spike":
            third = seconds / 3
            return [Phase("before", third, 1.0), Phase("spike", third, 5.0), Phase("behind", third, 1.0)]
        case "stress":
            return []


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of one operation in one phase.

    Attributes:
        p50_ms, p95_ms, p99_ms, longest_ms: from when a call was due until its answer was there.
        rate: calls a second that were due.
        served: that were answered.
        errors: the share that failed by the service's own fault, or was not answered.
        refused: the share that was answered with another error.
        statuses: how often each came.
        missed: what of its objective was not met, in words.
    """

    operation: str
    calls: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float
    rate: float
    served: float
    errors: float
    refused: float
    statuses: dict[str, int]
    missed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PhaseResult:
    """What came of a phase.

    Attributes:
        lag_ms: the 99th percentile of how late the generator was.
        busy: the share of the time in which it was busy.
        histograms: of each operation, encoded.
    """

    phase: Phase
    measured: tuple[Measured, ...]
    lag_ms: float
    busy: float
    connections: int
    histograms: dict[str, str]

    @property
    def lagged(self) -> str:
        """Why it says nothing of the service; empty where it does."""
        if self.lag_ms > LAG_MS_MAX:
            return f"the generator was late itself: {self.lag_ms:.1f} ms for one in a hundred calls"
        if self.busy > BUSY_MAX:
            return f"the generator was busy for {self.busy:.0%} of the time"
        return ""

    @property
    def missed(self) -> list[str]:
        """What of the objectives was not met."""
        return [f"{each.operation}: {what}" for each in self.measured for what in each.missed]

    def as_data(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "lagged": self.lagged}


@dataclass(frozen=True, slots=True)
class Run:
    """What came of a load.

    Attributes:
        knee: for `stress`, the factor of the declared rates up to which the objectives were met; None where not even
            the first step met them.
    """

    kind: Kind
    phases: tuple[PhaseResult, ...]
    knee: float | None = None

    @property
    def lagged(self) -> list[str]:
        """Why it says nothing of the service."""
        return [f"{each.phase.name}: {each.lagged}" for each in self.phases if each.lagged]

    @property
    def missed(self) -> list[str]:
        """What of the objectives was not met. A spike itself has none; what comes behind it has."""
        if self.kind == "stress":
            return (
                []
                if self.knee is not None and self.knee >= 1
                else [f"the knee is below the declared rates: {self.knee}"]
            )
        counted = [each for each in self.phases if each.phase.name != "spike"]
        return [f"{each.phase.name}: {what}" for each in counted for what in each.missed]

    def as_data(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "kind": self.kind,
            "knee": self.knee,
            "missed": self.missed,
            "lagged": self.lagged,
            "phases": [phase.as_data() for phase in self.phases],
        }


class Measuring:
    """Runs loads against one service.

    Args:
        told: told of what goes on: words, and the calls that were answered so far.
    """

    def __init__(
        self,
        service: ScratchService,
        scenario: Scenario,
        paths: Sequence[Path],
        told: Callable[[str, int], None] = lambda what, answered: None,
        seed: int = 1,
    ) -> None:
        self._service = service
        self._scenario = scenario
        self._paths = paths
        self._told = told
        self._seed = seed

    def run(self, kind: Kind, seconds: float) -> Run:
        """A whole load. Raises `StartupError` where the generator fails, `Unmeasurable` as `Scenario`."""
        if kind == "stress":
            return self._stress()
        return Run(kind, tuple(self._phase(phase) for phase in phases_of(kind, seconds)))

    def _stress(self) -> Run:
        """Steps of a rising rate until the objectives are not met any more, or the generator cannot follow."""
        results: list[PhaseResult] = []
        knee, factor = None, 0.5
        for number in range(1, STEPS_MAX + 1):
            result = self._phase(Phase(f"step {number}", STEP_SECONDS, round(factor, 3)))
            results.append(result)
            if result.missed or result.lagged:
                break
            knee, factor = result.phase.factor, factor * STEP_FACTOR
        return Run("stress", tuple(results), knee)

    def _phase(self, phase: Phase) -> PhaseResult:
        self._told(f"preparing {phase.name}", 0)
        calls = self._scenario.calls(self._paths, phase.seconds, phase.factor)
        job = Job("127.0.0.1", self._service.port, calls, phase.seconds, CONNECTIONS_MAX, self._seed)
        outcome = self._generated(job, phase)
        lag_ms = Histogram.decoded(outcome.lag).percentile_ms(99)
        measured = tuple(measured_of(path, outcome.answered[path.operation.id], outcome, phase) for path in self._paths)
        histograms = {name: answered.latencies for name, answered in outcome.answered.items()}
        return PhaseResult(phase, measured, lag_ms, outcome.busy, outcome.connections, histograms)

    def _generated(self, job: Job, phase: Phase) -> Outcome:
        command = [sys.executable, "-m", "sternpost.load.generator"]
        with subprocess.Popen(  # noqa: S603  (this very interpreter)
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert process.stdin is not None, "it was asked for"
            assert process.stdout is not None, "it was asked for"
            assert process.stderr is not None, "it was asked for"
            process.stdin.write(job.to_json())
            process.stdin.close()
            last = ""
            for line in process.stdout:
                last = line
                told = json.loads(line)
                if "waiting" in told:
                    self._told(phase.name, told["answered"])
            if process.wait() != 0:
                raise StartupError(f"The load cannot be made: {process.stderr.read().strip().splitlines()[-1:]}")
        return Outcome.from_json(last)


def measured_of(path: Path, answered: Answered, outcome: Outcome, phase: Phase) -> Measured:
    """The figures of an operation, and what of its objective is not met."""
    found, goal = Histogram.decoded(answered.latencies), path.goal
    calls = sum(answered.statuses.values())
    failed = sum(count for status, count in answered.statuses.items() if status == "0" or status.startswith("5"))
    good = sum(count for status, count in answered.statuses.items() if status.startswith(("2", "3")))
    p50, p95, p99, longest = (found.percentile_ms(share) for share in (50, 95, 99, 100))
    rate = calls / phase.seconds
    served = calls / max(outcome.seconds, phase.seconds)
    errors = failed / calls if calls else 1.0
    refused = (calls - good - failed) / calls if calls else 0.0
    missed: list[str] = []
    if p95 > goal.p95_ms:
        missed.append(f"p95 is {p95:.1f} ms, not {goal.p95_ms:g}")
    if p99 > goal.p99_ms:
        missed.append(f"p99 is {p99:.1f} ms, not {goal.p99_ms:g}")
    if errors > goal.error_rate:
        missed.append(f"{errors:.2%} of the calls fail, not {goal.error_rate:.2%}")
    if calls and served < SERVED_LEAST * rate:
        missed.append(f"{served:.0f} calls a second are answered of {rate:.0f}")
    if refused > REFUSED_MAX:
        told = ", ".join(f"{count} with {status}" for status, count in answered.statuses.items() if status[0] == "4")
        missed.append(f"{refused:.0%} of the calls are refused ({told}): it is not measured")
    if not calls:
        missed.append("no call was due in this time")
    return Measured(
        goal.operation,
        calls,
        p50,
        p95,
        p99,
        longest,
        rate,
        served,
        errors,
        refused,
        answered.statuses,
        tuple(missed),
    )

"""What was asked for, beside what was found. A goal whose stacks were not measured is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.measure import Sample
from benchmarks.results import Report
from benchmarks.stacks import OWN, OWN_HARDENED, STACKS
from benchmarks.summary import Key, Spread, per_stack, spread

BASELINE = next(stack.name for stack in STACKS if stack.baseline)
TITLES = {stack.name: stack.title for stack in STACKS}
DATABASES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
MEMORY_MB_MAX = 110
START_SECONDS_MAX = 1.5
TAIL_MAX = 5
"""How many times the median the 99th percentile may be, at half load."""

Figure = Callable[[Sample], float | None]


@dataclass(frozen=True)
class Goal:
    """One goal in words, what was found, and whether that is enough."""

    asked: str
    found: str
    reached: bool


@dataclass(frozen=True)
class Ratio:
    """A goal for the ratio of two stacks, measured in the same rounds.

    Attributes:
        database: the kind that it is set for.
        other: whom Sternpost is compared with.
        figure, name: what is compared, and what that is called.
        most: how many times the other's figure may be reached.
        least: how many times less than the other's it has to be; one of the two is given.
    """

    database: str
    other: str
    figure: Figure
    name: str
    most: float | None = None
    least: float | None = None

    @property
    def asked(self) -> str:
        """In words."""
        if self.most is not None:
            return f"{self.name} ≤ {self.most}× {TITLES[self.other]}"
        return f"{self.name} ≥ {self.least:g}× less than {TITLES[self.other]}"

    def judged(self, own: Sequence[Sample], other: Sequence[Sample]) -> tuple[str, bool] | None:
        """From the samples of one workload; None where the two have no round in common."""
        above, below = (own, other) if self.most is not None else (other, own)
        found = spread(in_rounds(above, below, self.figure))
        if found is None:
            return None
        reached = found.median <= self.most if self.most is not None else found.median >= (self.least or 0)
        return ratio_text(found), reached


def server(sample: Sample) -> float | None:
    return sample.result.cpu_us("server")


def database(sample: Sample) -> float | None:
    return sample.result.cpu_us("database")


def both(sample: Sample) -> float | None:
    """Server and database; None where the database cannot be seen."""
    first, second = server(sample), database(sample)
    return None if first is None or second is None else first + second


RATIOS = (
    Ratio("postgresql", BASELINE, server, "server CPU", most=1.0),
    Ratio("postgresql", BASELINE, database, "database CPU", most=1.0),
    Ratio("postgresql", "go-bare", both, "server + database CPU", most=1.0),
    Ratio("postgresql", "fastify-hardened", server, "server CPU", least=2.5),
    Ratio("postgresql", "nestjs-hardened", server, "server CPU", least=10),
    Ratio("postgresql", "fastapi-hardened", server, "server CPU", least=20),
    Ratio("sqlite", BASELINE, server, "server CPU", most=1.5),
)


def goals(report: Report) -> list[Goal]:
    """All goals that this report can say something about. They are set for the hardened profile; a report without it is
    read for the shop."""
    own = own_stack(report.samples)
    mine = [sample for sample in report.samples if sample.stack == own]
    if not mine:
        return []
    memory = max(sample.resident_bytes for sample in mine) / 1e6
    begun = per_stack(mine, lambda sample: sample.start_seconds)[own].median
    return [
        *_ratios(report.samples, mine),
        *_tails(report, own),
        Goal(f"memory of a worker ≤ {MEMORY_MB_MAX} MB", f"{memory:.0f} MB", memory <= MEMORY_MB_MAX),
        Goal(f"start ≤ {START_SECONDS_MAX} s", f"{begun:.2f} s", begun <= START_SECONDS_MAX),
    ]


def own_stack(samples: Sequence[Sample]) -> str:
    """For which stack of Sternpost the goals are judged."""
    return OWN_HARDENED if any(sample.stack == OWN_HARDENED for sample in samples) else OWN


def _ratios(samples: Sequence[Sample], mine: Sequence[Sample]) -> Iterator[Goal]:
    for key in dict.fromkeys(key_of(sample) for sample in mine):
        own = [sample for sample in mine if key_of(sample) == key]
        for ratio in RATIOS:
            other = [sample for sample in samples if (sample.stack, key_of(sample)) == (ratio.other, key)]
            judged = ratio.judged(own, other) if ratio.database == key.database else None
            if judged is not None:
                yield Goal(f"{named(key)}: {ratio.asked}", *judged)


def _tails(report: Report, own: str) -> Iterator[Goal]:
    for row in report.sections.get("latency", []):
        if row["stack"] == TITLES[own]:
            asked = f"{row['workload']}: p99 ≤ {TAIL_MAX}× p50 at half load"
            yield Goal(asked, f"{row['p99 / p50']}×", row["p99 / p50"] <= TAIL_MAX)


def in_rounds(above: Sequence[Sample], below: Sequence[Sample], figure: Figure) -> list[float]:
    """The ratio of each round in which both were measured: what the machine did meanwhile, it did to both."""
    base = {sample.round: figure(sample) for sample in below}
    found: list[float] = []
    for sample in above:
        mine, other = figure(sample), base.get(sample.round)
        if mine is not None and other:
            found.append(mine / other)
    return found


def spans_sent(samples: Sequence[Sample]) -> list[dict[str, object]]:
    """Spans that arrived for each request that was answered in the same seconds, by stack and workload. Much less than
    one says that a stack drops spans, or leaves them for later: what it saves so is not counted."""
    groups: dict[tuple[str, str, str], list[float]] = {}
    for sample in samples:
        if sample.result.spans is not None:
            key = (TITLES.get(sample.stack, sample.stack), sample.database, sample.workload)
            groups.setdefault(key, []).append(sample.result.spans / sample.result.answered)
    return [
        {
            "stack": stack,
            "database": kind,
            "workload": workload,
            "spans a request": f"{median(found):.2f} ({min(found):.2f}–{max(found):.2f})",
        }
        for (stack, kind, workload), found in groups.items()
    ]


def key_of(sample: Sample) -> Key:
    return Key(sample.database, sample.workload, sample.connections)


def named(key: Key) -> str:
    return f"{DATABASES[key.database]}, {key.workload}, {key.connections} connections"


def ratio_text(found: Spread) -> str:
    return f"{found.median:.2f}× ({found.low:.2f}–{found.high:.2f})"

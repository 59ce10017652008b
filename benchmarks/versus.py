"""This checkout against another commit of it: `python -m benchmarks versus REF`.

In every round both trees are started anew, each on a fresh copy of its data: what one process happens to cost more than
another of the same code (the seed of its hashes, where its memory lies) is then part of the interval. Within a round the
trees take turns at each workload, several times each, so that both meet what else the machine does in these seconds:
the old one first in odd rounds and the new one first in even ones, and then the other way round each time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

import orjson
from rich.box import SIMPLE_HEAD
from rich.table import Table

from benchmarks.check import Unequal, ask
from benchmarks.databases import Database
from benchmarks.load import Job
from benchmarks.measure import WORKLOAD_ORDER, Sample, observed, take, target_of, together
from benchmarks.ratios import CONFIDENCE, Outcome, Ratio, ratio_of
from benchmarks.rows import Progress, Size
from benchmarks.stacks import Server, serving
from benchmarks.trees import Tree
from benchmarks.workloads import row_id

CONNECTIONS = 32
WARMUP_SECONDS = 0.2
TURNS = 4
"""Into how many turns a measurement is divided."""

DEEP_ROW = 60_000
"""Where the page of the data client begins; with fewer users, at three fifths of them."""

PAGES = 100
"""How many of them each round reads."""

KEYSET = Path(__file__).with_name("keyset.py")


@dataclass(frozen=True)
class Contest:
    """What is measured, and for how long each time.

    Attributes:
        pages: of the data client, in each round.
    """

    old: Tree
    new: Tree
    workloads: Sequence[str]
    rounds: int
    seconds: float
    size: Size
    pages: int

    def turns(self, number: int) -> tuple[Tree, Tree]:
        """Who is first in a round, counted from zero, and who is second."""
        return (self.old, self.new) if number % 2 == 0 else (self.new, self.old)

    def measurements(self) -> int:
        """How many there are on each database, the pages of the data client among them."""
        return self.rounds * 2 * (len(self.workloads) + 1)


@dataclass(frozen=True)
class Page:
    """What a page deep in a list cost the data client of a tree in one round.

    Attributes:
        cpu_us: of the process that reads, not of the database.
        wall_us: the median time until a page is there.
        last: the id that the walk ended at.
    """

    round: int
    tree: str
    database: str
    cpu_us: float
    wall_us: float
    last: str


def load(contest: Contest, database: Database, progress: Progress) -> None:
    """The same rows for both, in the tables that each tree makes."""
    for tree in (contest.old, contest.new):
        tree.check_imports()
        database.load(contest.size, progress, tree.application)


def compare_answers(contest: Contest, database: Database, tokens: Sequence[str]) -> None:
    """Asks both the same; also compiles what a tree imports, so that no round has to.

    Raises:
        Unequal: they answer differently.
    """
    found: list[dict[str, Any]] = []
    for tree in (contest.old, contest.new):
        with serving(tree.stack, database.fresh(tree.name, tree.application)) as server:
            found.append(ask(server, contest.size, tokens))
    for request, answer in found[0].items():
        if found[1][request] != answer:
            raise Unequal(f"{request}: the old tree answers\n{answer}\nand the new one\n{found[1][request]}")


def run_rounds(
    contest: Contest,
    database: Database,
    tokens: Sequence[str],
    on_page: Callable[[Page], None],
    on_sample: Callable[[Sample], None],
) -> None:
    """All rounds on one kind of database."""
    for number in range(contest.rounds):
        turns = contest.turns(number)
        urls = {tree.name: database.fresh(tree.name, tree.application) for tree in turns}
        database.settle()
        for page in deep_pages(contest, database, number, urls):
            on_page(page)
        with ExitStack() as running:
            servers = [running.enter_context(serving(tree.stack, urls[tree.name])) for tree in turns]
            for workload in sorted(contest.workloads, key=WORKLOAD_ORDER.index):
                database.settle()
                taken: list[list[Sample]] = [[], []]
                for turn in range(TURNS):
                    for index in (0, 1) if turn % 2 == 0 else (1, 0):
                        work = job(contest, servers[index], database, tokens, workload)
                        taken[index].append(take(work, servers[index], database, number))
                for samples in taken:
                    on_sample(together(samples))


def job(contest: Contest, server: Server, database: Database, tokens: Sequence[str], workload: str) -> Job:
    """One measurement of a workload."""
    target = target_of(server, tokens, contest.size)
    watched, seconds = observed(server, database), contest.seconds / TURNS
    return Job(target, workload, CONNECTIONS, seconds, min(WARMUP_SECONDS, seconds), observe=watched)


def deep_pages(contest: Contest, database: Database, number: int, urls: Mapping[str, str]) -> list[Page]:
    """One of each tree, in the order of the round.

    Raises:
        Unequal: the walks end at different rows.
    """
    start = f"usr_{row_id(1, min(DEEP_ROW, contest.size.users * 3 // 5))}"
    found: list[Page] = []
    for tree in contest.turns(number):
        printed = tree.run([str(KEYSET), start, str(contest.pages)], urls[tree.name])
        found.append(Page(number, tree.name, database.name, **orjson.loads(printed)))
    if found[0].last != found[1].last:
        raise Unequal(f"pages by name behind {start} end at {' and '.join(f'{p.last} ({p.tree})' for p in found)}")
    return found


def page_rows(pages: Sequence[Page]) -> list[tuple[str, str, Ratio]]:
    """(database, figure, ratio): the pages of the data client."""
    rows: list[tuple[str, str, Ratio]] = []
    for database in dict.fromkeys(page.database for page in pages):
        old, new = (
            [page for page in pages if (page.database, page.tree) == (database, name)] for name in ("old", "new")
        )
        rows.append((database, "CPU", ratio_of([page.cpu_us for page in old], [page.cpu_us for page in new])))
        rows.append((database, "time", ratio_of([page.wall_us for page in old], [page.wall_us for page in new])))
    return rows


def process_rows(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Start and memory of the trees on each database: medians of all rounds; of memory the greatest of a round."""
    rows: list[dict[str, Any]] = []
    for database, stack in sorted({(sample.database, sample.stack) for sample in samples}, reverse=True):
        rounds: dict[int, list[Sample]] = {}
        for sample in samples:
            if (sample.database, sample.stack) == (database, stack):
                rounds.setdefault(sample.round, []).append(sample)
        rows.append(
            {
                "database": database,
                "tree": stack,
                "start, s": round(median(taken[0].start_seconds for taken in rounds.values()), 2),
                "CPU for it, s": round(median(taken[0].start_cpu_seconds for taken in rounds.values()), 2),
                "memory after load, MB": round(
                    median(max(sample.resident_bytes for sample in taken) for taken in rounds.values()) / 1e6, 1
                ),
            }
        )
    return rows


def sections(
    found: Sequence[Outcome], pages: Sequence[Page], samples: Sequence[Sample]
) -> dict[str, list[dict[str, Any]]]:
    """What the result file has beside the samples."""
    return {
        "versus": [{**asdict(outcome), "holds": outcome.holds} for outcome in found],
        "keyset": [{"database": name, "figure": figure, **asdict(ratio)} for name, figure, ratio in page_rows(pages)],
        "keyset samples": [asdict(page) for page in pages],
        "processes": process_rows(samples),
    }


def outcome_table(found: Sequence[Outcome]) -> Table:
    """CPU of a request, the database's beside the server's, and the verdicts."""
    interval = interval_title([outcome.server for outcome in found])
    table = columns("CPU per request, µs", "old", "new", "new / old", interval, "database old", "new", "")
    for outcome in found:
        behind = ("–" if value is None else f"{value:,.1f}" for value in (outcome.database_old, outcome.database_new))
        verdict = "[green]holds[/]" if outcome.holds else "[red bold]more[/]"
        table.add_row(f"{outcome.workload}, {outcome.database}", *cells(outcome.server), *behind, verdict)
    return table


def page_table(pages: Sequence[Page]) -> Table:
    """The pages of the data client; not part of the verdict."""
    rows = page_rows(pages)
    interval = interval_title([ratio for _, _, ratio in rows])
    title = f"A page at row {DEEP_ROW:,} (or three fifths) of the data client, µs"
    table = columns(title, "old", "new", "new / old", interval)
    for database, figure, ratio in rows:
        table.add_row(f"{figure}, {database}", *cells(ratio))
    return table


def process_table(samples: Sequence[Sample]) -> Table:
    """Start and memory."""
    rows = process_rows(samples)
    table = columns("Start and memory of the worker", *list(rows[0])[2:])
    for row in rows:
        database, tree, *figures = row.values()
        table.add_row(f"{tree}, {database}", *(str(figure) for figure in figures))
    return table


def columns(title: str, *names: str) -> Table:
    """A table without rows: what it is about, then figures."""
    table = Table("", title=title, title_justify="left", box=SIMPLE_HEAD)
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def cells(ratio: Ratio) -> list[str]:
    """Both figures, the ratio, and its interval."""
    interval = f"{ratio.interval.low:.3f}–{ratio.interval.high:.3f}"
    return [f"{ratio.old:,.1f}", f"{ratio.new:,.1f}", f"{ratio.ratio:.3f}", interval]


def interval_title(found: Sequence[Ratio]) -> str:
    """With fewer than six rounds, the confidence that is left of 95 %."""
    least = min((ratio.interval.confidence for ratio in found), default=0.0)
    return f"{min(least, CONFIDENCE) * 100:.0f} % interval"

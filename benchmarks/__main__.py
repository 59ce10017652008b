"""`python -m benchmarks`: the comparison; its subcommands measure one thing each. See `--help`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from benchmarks import mechanisms as costs
from benchmarks.check import Unequal, check
from benchmarks.databases import Database, open_database
from benchmarks.goals import BASELINE, own_stack, spans_sent
from benchmarks.latency import measure_latency
from benchmarks.load import LoadError
from benchmarks.measure import WORKLOAD_ORDER, Course, Sample, measure
from benchmarks.ratios import outcomes
from benchmarks.report import goal_table, section, write_pages
from benchmarks.results import RESULTS, Report, newest
from benchmarks.rows import Size
from benchmarks.scale import Scale
from benchmarks.stacks import BOTH, HOME, OWN, OWN_HARDENED, STACKS, Stack, StackError, tokens
from benchmarks.trees import checked_out, this_checkout
from benchmarks.versus import (
    CONNECTIONS,
    PAGES,
    Contest,
    Page,
    outcome_table,
    page_table,
    process_table,
    run_rounds,
    sections,
)
from benchmarks.versus import compare_answers as compare_trees
from benchmarks.versus import load as load_trees
from benchmarks.workers import measure_workers
from benchmarks.workloads import PENDING
from tests.support.postgres import NoPostgres

console = Console(highlight=False, soft_wrap=True)
cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

ALL_DATABASES, ALL_WORKLOADS = "postgresql,sqlite", ",".join(WORKLOAD_ORDER)
ALL_VARIANTS = ",".join(variant.name for variant in costs.VARIANTS)
Databases = Annotated[str, typer.Option(help="postgresql, sqlite, or both with a comma between")]
Stacks = Annotated[
    str, typer.Option("--stacks", "--only", help=f"of {', '.join(stack.name for stack in STACKS)}; by default all")
]
Users = Annotated[int, typer.Option(help="how many users there are; three times as many orders", min=1000)]
Quick = Annotated[bool, typer.Option("--quick", help="a short look: one round, small data, nothing in docs/ changes")]


@cli.callback(invoke_without_command=True)
def compare(
    context: typer.Context,
    quick: Quick = False,
    databases: Databases = ALL_DATABASES,
    stacks: Stacks = "",
    workloads: Annotated[str, typer.Option(help="of W1, W2, W2p, W3")] = ALL_WORKLOADS,
    connections: Annotated[str, typer.Option(help="how many at a time, with commas between")] = "32,128",
    rounds: Annotated[int, typer.Option(help="how often the stacks take turns", min=1)] = 5,
    seconds: Annotated[float, typer.Option(help="of each measurement")] = 3.0,
    warmup: Annotated[float, typer.Option(help="seconds before each workload that do not count")] = 2.0,
    users: Users = 100_000,
    latency: Annotated[bool, typer.Option(help="also measure latency at half load")] = True,
    out: Annotated[
        Path | None, typer.Option(help="folder for the result file; docs/ then stay as they are", show_default=False)
    ] = None,
) -> None:
    """CPU per request of Sternpost and its peers, in turns; a result file; the tables and the plot in docs/.

    A run of some stacks, workloads or databases leaves docs/ as they are: its tables would have no others beside them.
    """
    if context.invoked_subcommand is not None:
        return
    if stacks or (databases, workloads) != (ALL_DATABASES, ALL_WORKLOADS):
        out = out or HOME / "results"
    if quick:
        rounds, seconds, warmup, users, connections = 1, min(seconds, 1.0), min(warmup, 1.0), min(users, 20_000), "32"
        out = out or HOME / "results"
    chosen = choose(stacks)
    course = Course(
        chosen,
        split(workloads, WORKLOAD_ORDER),
        [int(part) for part in connections.split(",")],
        rounds,
        seconds,
        warmup,
        size(users),
    )
    install(chosen)
    report = Report.begin("bench", chosen)
    report.course = {
        "users": users,
        "orders": users * 3,
        "pending users": course.size.pending,
        "rounds": rounds,
        "seconds a measurement": seconds,
        "warm-up seconds": warmup,
    }
    for kind in databases.split(","):
        with loaded(kind, course.size) as database:
            report.versions[kind] = database.version
            run_course(course, database, report)
            if latency and kind == "postgresql":
                add_latency(course, database, report)
    finish(report, out)


@cli.command()
def workers(
    databases: Databases = "sqlite,postgresql",
    rounds: int = 3,
    seconds: float = 3.0,
    users: Users = 100_000,
    out: Path | None = None,
) -> None:
    """One worker of Sternpost against two."""
    stack = next(stack for stack in STACKS if stack.name == OWN)
    report = Report.begin("workers", [stack])
    rows = report.sections.setdefault("workers", [])
    for kind in databases.split(","):
        with loaded(kind, size(users)) as database:
            report.versions[kind] = database.version
            measure_workers(stack, database, size(users), tokens(), ["W1", "W2p"], rounds, seconds, rows.append)
    finish(report, out)


@cli.command()
def scale(
    quick: Quick = False,
    databases: Databases = "sqlite,postgresql",
    rows: Annotated[str, typer.Option(help="how many users, with commas between")] = "10000,100000,1000000,10000000",
    resources: Annotated[str, typer.Option(help="how many resources")] = "1,10,30,100",
    connections: Annotated[str, typer.Option(help="how many connections")] = "1,10,100,1000",
    seconds: float = 3.0,
    out: Path | None = None,
) -> None:
    """What a request costs with more rows, more resources, more connections. Sternpost alone."""
    if quick:
        rows = ",".join(part for part in rows.split(",") if int(part) <= 100_000)
        seconds, out = min(seconds, 1.0), out or HOME / "results"
    stack = next(stack for stack in STACKS if stack.name == OWN)
    report = Report.begin("scale", [stack])
    report.course = {"seconds a measurement": seconds}
    for kind in databases.split(","):
        with open_database(kind, HOME) as database, bar() as progress:
            report.versions[kind] = database.version
            task = progress.add_task(f"rows, {kind}", total=None)
            measured = Scale(stack, tokens(), seconds, told(progress, task))
            measured.rows(database, numbers(rows), shown_row(report, "rows", progress))
            if kind == databases.rpartition(",")[2]:
                progress.update(task, description=f"resources, {kind}")
                measured.resources(database, numbers(resources), shown_row(report, "resources", progress))
                progress.update(task, description=f"connections, {kind}")
                measured.connections(database, numbers(connections), shown_row(report, "connections", progress))
    finish(report, out)


@cli.command()
def mechanisms(
    quick: Quick = False,
    databases: Databases = "sqlite,postgresql",
    variants: Annotated[str, typer.Option(help="with commas between; what is compared with plain needs that, too")] = (
        ALL_VARIANTS
    ),
    rounds: Annotated[int, typer.Option(help="how often the variants take turns", min=1)] = 7,
    seconds: Annotated[float, typer.Option(help="of each measurement")] = 2.0,
    users: Annotated[int, typer.Option(help="how many users there are", min=1000)] = 100_000,
    out: Path | None = None,
) -> None:
    """CPU per request that each mechanism costs: limits, the outbox, keys, tokens, what is observed, CORS."""
    if quick:
        rounds, seconds, users, out = min(rounds, 2), min(seconds, 1.0), min(users, 20_000), out or HOME / "results"
    names = split(variants, {variant.name: variant for variant in costs.VARIANTS})
    chosen = [variant for variant in costs.VARIANTS if variant.name in names]
    rows = Size(users, 0, size(users).pending)
    report = Report.begin("mechanisms", [])
    report.course = {"rounds": rounds, "seconds a measurement": seconds, "users": users}
    report.course["connections"] = costs.CONNECTIONS
    for kind in split(databases, BOTH):
        with open_database(kind, HOME) as database, bar() as progress:
            report.versions[kind] = database.version
            loading = progress.add_task(f"loading {kind} {database.version}", total=None)
            costs.load(chosen, rows, database, told(progress, loading))
            total = rounds * sum(len(costs.measured(variant.name)) for variant in chosen)
            task = progress.add_task(f"measuring on {kind}", total=total)

            def on_sample(sample: Sample, progress: Any = progress, task: TaskID = task) -> None:
                report.samples.append(sample)
                progress.console.print(line(sample))
                progress.advance(task)

            costs.run_rounds(chosen, database, tokens(), rounds, seconds, rows, on_sample)
    report.sections["mechanisms"] = costs.cost_rows(report.samples)
    finish(report, out)


@cli.command()
def versus(
    reference: Annotated[
        str, typer.Argument(metavar="REF", help="a commit, branch or tag to compare this checkout with")
    ],
    quick: Annotated[bool, typer.Option("--quick", help="a short look: at most two rounds, small data")] = False,
    databases: Databases = "sqlite,postgresql",
    workloads: Annotated[str, typer.Option(help="of W1, W2, W2p, W3")] = "W1,W2,W2p,W3",
    rounds: Annotated[int, typer.Option(help="how often the two take turns; at least 10 for a verdict", min=1)] = 10,
    seconds: Annotated[float, typer.Option(help="of each measurement")] = 2.0,
    users: Annotated[int, typer.Option(help="how many users there are", min=1000)] = 100_000,
    out: Annotated[Path | None, typer.Option(help="folder for the result file", show_default=False)] = None,
) -> None:
    """CPU per request of this checkout and of another commit of it, in turns. Status 1 where a workload costs more."""
    if quick:
        rounds, seconds, users, out = min(rounds, 2), min(seconds, 1.0), min(users, 20_000), out or HOME / "results"
    pages: list[Page] = []
    report = Report.begin("versus", [])
    with checked_out(reference) as old:
        chosen, rows = split(workloads, WORKLOAD_ORDER), Size(users, 0, size(users).pending)
        contest = Contest(old, this_checkout(), chosen, rounds, seconds, rows, PAGES // 4 if quick else PAGES)
        report.course = {
            "old": old.commit,
            "new": contest.new.commit,
            "rounds": rounds,
            "seconds a measurement": seconds,
        }
        report.course |= {"users": users, "pending users": rows.pending, "connections": CONNECTIONS}
        for kind in split(databases, BOTH):
            run_contest(contest, kind, report, pages)
    finish_versus(report, pages, out or RESULTS)


def run_contest(contest: Contest, kind: str, report: Report, pages: list[Page]) -> None:
    """Both trees on one kind of database; each figure is shown when it is known."""
    with open_database(kind, HOME) as database, bar() as progress:
        report.versions[kind] = database.version
        loading = progress.add_task(f"loading {kind} {database.version}, twice", total=None)
        load_trees(contest, database, told(progress, loading))
        compare_trees(contest, database, tokens())
        progress.console.print(f"[green]the same answers[/] from both on {kind}")
        task = progress.add_task(f"measuring on {kind}", total=contest.measurements())

        def on_sample(sample: Sample) -> None:
            report.samples.append(sample)
            progress.console.print(line(sample))
            progress.advance(task)

        def on_page(page: Page) -> None:
            pages.append(page)
            cost = f"{page.cpu_us:.0f} µs CPU, {page.wall_us:.0f} µs until it is there"
            progress.console.print(f"[dim]round {page.round + 1} {kind}[/] {page.tree:18}deep page {cost}")
            progress.advance(task)

        run_rounds(contest, database, tokens(), on_page, on_sample)


def finish_versus(report: Report, pages: list[Page], folder: Path) -> None:
    """Shows the tables and writes the file; ends with status 1 unless every workload holds."""
    found = outcomes(report.samples)
    report.sections = sections(found, pages, report.samples)
    console.print(f"\nold: {report.course['old']}, new: {report.course['new']}, rounds: {report.course['rounds']}")
    wide = Console(highlight=False, width=max(console.width, 100))  # a pipe has 80 columns, too few for figures
    for table in (outcome_table(found), page_table(pages), process_table(report.samples)):
        wide.print(table)
    console.print(f"written: {report.write(folder)}")
    if not all(outcome.holds for outcome in found):
        raise typer.Exit(1)


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def shown_row(report: Report, name: str, progress: Progress) -> Callable[[dict[str, Any]], None]:
    """Takes a row of a section, and shows it at once."""
    rows = report.sections.setdefault(name, [])

    def on_row(row: dict[str, Any]) -> None:
        rows.append(row)
        progress.console.print(", ".join(f"{column} {value}" for column, value in row.items()))

    return on_row


@cli.command("check")
def check_command(databases: Databases = "postgresql,sqlite", stacks: Stacks = "", users: Users = 2000) -> None:
    """Only compares what the stacks answer."""
    chosen = choose(stacks)
    install(chosen)
    for kind in databases.split(","):
        with loaded(kind, size(users)) as database:
            compare_answers(chosen, database, size(users))


@cli.command("report")
def report_command(
    files: Annotated[list[Path] | None, typer.Argument(help="by default the newest of each kind")] = None,
) -> None:
    """Writes the tables and the plot in docs/ from result files."""
    found = files or [
        path for kind in ("bench", "workers", "scale", "mechanisms") if (path := newest(kind)) is not None
    ]
    for path in found:
        write_pages(Report.read(path))
        console.print(f"docs/explanation/performance.md from {path.name}")


def size(users: int) -> Size:
    """A hundredth of the users is pending, as in the full size."""
    return Size(users, users * 3, max(users * PENDING // 100_000, 1))


def choose(names: str) -> list[Stack]:
    """The stacks of these names, or all."""
    known = {stack.name: stack for stack in STACKS}
    return [known[name] for name in split(names, known)] if names else list(STACKS)


def split(names: str, known: Any) -> list[str]:
    """Names with commas between; one that is not known ends the program."""
    found = names.split(",")
    unknown = [name for name in found if name not in known]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)} is none of {', '.join(known)}")
    return found


def install(stacks: Sequence[Stack]) -> None:
    """Everything that the stacks need, once."""
    with console.status("") as status:
        for stack in stacks:
            status.update(f"installing {stack.title} (once)")
            stack.install()


@dataclass
class loaded:  # noqa: N801  (a context manager)
    """A kind of database with the data in it, and a bar while it is loaded."""

    kind: str
    size: Size

    def __enter__(self) -> Database:
        self.opened = open_database(self.kind, HOME)
        database = self.opened.__enter__()
        try:
            with bar() as progress:
                task = progress.add_task(f"loading {self.kind} {database.version}", total=None)
                database.load(self.size, told(progress, task))
        except BaseException:
            self.opened.__exit__(*sys.exc_info())
            raise
        return database

    def __exit__(self, *exception: Any) -> None:
        self.opened.__exit__(*exception)


def bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
    )


def told(progress: Progress, task: TaskID) -> Callable[[int, int], None]:
    return lambda done, total: progress.update(task, completed=done, total=total)


def compare_answers(stacks: Sequence[Stack], database: Database, size: Size) -> None:
    with console.status(f"comparing answers on {database.name}"):
        check([stack for stack in stacks if database.name in stack.databases], database, size, tokens())
    console.print(f"[green]the same answers[/] from all stacks on {database.name}")


def run_course(course: Course, database: Database, report: Report) -> None:
    """Checks, then measures; each figure is shown when it is known."""
    compare_answers(course.stacks, database, course.size)
    with bar() as progress:
        task = progress.add_task(f"measuring on {database.name}", total=course.measurements(database))

        def on_sample(sample: Sample) -> None:
            report.samples.append(sample)
            progress.console.print(line(sample))
            progress.advance(task)

        measure(course, database, tokens(), on_sample)


def line(sample: Sample) -> str:
    result = sample.result
    database = result.cpu_us("database")
    spans = f"  spans {result.spans / result.answered:.2f}" if result.spans is not None else ""
    return (
        f"[dim]round {sample.round + 1} {sample.database}[/] {sample.stack:18}{sample.workload:>4}"
        f"{sample.connections:>5}{result.cpu_us('server') or 0:>8.0f} µs server"
        f"{f'{database:>8.0f} µs database' if database is not None else ''}"
        f"{result.per_second:>8.0f}/s  p99 {result.latencies[2] * 1000:.1f} ms{spans}"
        f"  [dim]generator {result.cpu_seconds['client'] / result.seconds:.0%}, others {result.others_cores:.1f} cores[/]"
    )


def add_latency(course: Course, database: Database, report: Report) -> None:
    """Of Sternpost and the baseline, where they are measured at all."""
    own = OWN_HARDENED if any(stack.name == OWN_HARDENED for stack in course.stacks) else OWN
    stacks = [stack for stack in course.stacks if stack.name in (own, BASELINE)]
    workloads = [name for name in course.workloads if name != "W2p"]
    rows = report.sections.setdefault("latency", [])
    with console.status(f"latency at half load on {database.name}"):
        measure_latency(
            stacks, database, course.size, tokens(), workloads, min(course.rounds, 3), course.seconds, rows.append
        )


def finish(report: Report, out: Path | None) -> None:
    """Writes the file, shows the tables, and puts them into docs/ unless the result went to a folder of its own."""
    path = report.write(out or RESULTS)
    for name, rows in report.sections.items():
        console.print(f"\n{section(name, rows)}", markup=False)
    if report.kind == "bench":
        console.print(f"\n{section('spans', spans_sent(report.samples))}", markup=False)
    if report.kind == "bench" and any(sample.stack == own_stack(report.samples) for sample in report.samples):
        console.print(f"\n{goal_table(report)}", markup=False)
    console.print(f"\nwritten: {path}")
    if out is None:
        write_pages(report)
        console.print("written: docs/explanation/performance.md")


def main() -> int:
    """Runs a command; what makes a run void is said without a traceback."""
    try:
        cli()
    except (StackError, LoadError, Unequal, NoPostgres) as error:
        console.print(f"[red bold]error:[/] the run is void: {error}", markup=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks`: the harness's commands."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.databases import Size, open_database
from benchmarks.measure import Course, Sample, measure
from benchmarks.stacks import HOME, STACKS, tokens

console = Console(highlight=False)
cli = typer.Typer(add_completion=False, no_args_is_help=True)


@cli.command()
def run(
    databases: Annotated[str, typer.Option(help="postgresql, sqlite, or both with a comma")] = "postgresql,sqlite",
    stacks: Annotated[str, typer.Option(help="Names with commas; by default all")] = "",
    workloads: Annotated[str, typer.Option()] = "W1,W2,W2p,W3",
    connections: Annotated[str, typer.Option()] = "32,128",
    rounds: Annotated[int, typer.Option()] = 5,
    seconds: Annotated[float, typer.Option()] = 4.0,
    warmup: Annotated[float, typer.Option()] = 1.5,
    users: Annotated[int, typer.Option()] = 100_000,
) -> None:
    """Measures."""
    chosen = [stack for stack in STACKS if not stacks or stack.name in stacks.split(",")]
    for stack in chosen:
        console.print(f"installing {stack.title}")
        stack.install()
    course = Course(
        chosen, workloads.split(","), [int(part) for part in connections.split(",")], rounds, seconds, warmup, users
    )

    def show(sample: Sample) -> None:
        used = sample.result.cpu_us("database")
        console.print(
            f"{sample.round} {sample.database} {sample.stack:18} {sample.workload:4} {sample.connections:4} "
            f"server {sample.result.cpu_us('server'):7.0f} µs  database {used or 0:6.0f} µs  "
            f"{sample.result.per_second:7.0f}/s  client busy {sample.result.cpu_seconds['client'] / sample.result.seconds:4.0%}"
        )

    for kind in databases.split(","):
        with open_database(kind, HOME) as database:
            console.print(f"loading {kind} {database.version}")
            database.load(Size(users, users * 3), lambda done, total: None)
            measure(course, database, tokens(), show)


if __name__ == "__main__":
    sys.exit(cli())

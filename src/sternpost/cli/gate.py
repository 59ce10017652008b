"""`sternpost gate`: runs the gates of a project, and tells where it stands."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from sternpost.cli.output import Terminal, errors, out, print_json, shown, write_file
from sternpost.errors import StartupError
from sternpost.visible import visible

if TYPE_CHECKING:
    from sternpost.gates.gate import Report, Result, Standing

STOPPED = 1
"""The exit status of a gate that does not let a project pass."""

App = Annotated[
    str | None,
    typer.Argument(
        help="The application as module:attribute; by default the one set in pyproject.toml", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON")]
Html = Annotated[
    Path | None, typer.Option("--html", help="Also write the report to this file, as HTML", show_default=False)
]
Junit = Annotated[Path | None, typer.Option("--junit", help="Also write it as JUnit XML", show_default=False)]
Sarif = Annotated[Path | None, typer.Option("--sarif", help="Also write it as SARIF 2.1.0", show_default=False)]
Format = Literal["html", "junit", "sarif"]
Only = Annotated[
    list[str] | None,
    typer.Option(
        help="Ask this criterion alone, such as I05, and keep no evidence; can be repeated", show_default=False
    ),
]

gate_cli = typer.Typer(
    help="Ask whether the project is ready: design, then implement. Exit status 1 is STOP.", no_args_is_help=True
)

_STYLES = {"pass": "green", "fail": "red bold", "could not check": "red bold", "not applicable": "dim"}
_MARKS = {"pass": "pass", "fail": "FAIL", "could not check": "NOT CHECKED", "not applicable": "not applicable"}


@gate_cli.command()
def design(
    app: App = None,
    as_json: Json = False,
    html: Html = None,
    junit: Junit = None,
    sarif: Sarif = None,
    only: Only = None,
) -> None:
    """The first gate: the contract is complete, documented and recorded, so that it can be reviewed."""
    _run("design", app, as_json, {"html": html, "junit": junit, "sarif": sarif}, only or [])


@gate_cli.command()
def implement(
    app: App = None,
    as_json: Json = False,
    html: Html = None,
    junit: Junit = None,
    sarif: Sarif = None,
    only: Only = None,
) -> None:
    """The second gate: what the contract says is implemented, and tests prove it.

    It starts the service with an empty database and runs the project's tests.
    """
    _run("implement", app, as_json, {"html": html, "junit": junit, "sarif": sarif}, only or [])


@gate_cli.command()
def status(app: App = None, as_json: Json = False) -> None:
    """Where the project stands with each gate. Exit status 1 unless all are passed by the project as it is."""
    from sternpost.gates.gate import standings
    from sternpost.gates.project import load_project

    found = list(standings(load_project(app, Path(), datetime.now(UTC))))
    if as_json:
        print_json([{"gate": each.gate, "state": each.state, "why": each.why} for each in found], indented=True)
    else:
        _print_standings(found, out)
    if any(standing.state != "passed" for standing in found):
        raise typer.Exit(STOPPED)


@gate_cli.command()
def explain(code: Annotated[str, typer.Argument(help="A criterion, such as D03")]) -> None:
    """What a criterion asks, why, and how to meet it."""
    from sternpost.gates.gate import GATES

    known = {criterion.code: (gate, criterion) for gate, asked in GATES.items() for criterion in asked}
    if code.upper() not in known:
        raise StartupError(f"There is no criterion {code}; there are: {', '.join(known)}")
    gate, criterion = known[code.upper()]
    waived = "a waiver may pass it for a time" if criterion.negotiable else "it cannot be waived"
    out.print(f"[bold]{criterion.code} {shown(criterion.title)}[/]\n[dim]asked by sternpost gate {gate}; {waived}[/]")
    out.print(f"\n{shown(criterion.why)}\n\n[green]How to meet it:[/] {shown(criterion.fix)}")


def _run(gate: str, app: str | None, as_json: bool, files: dict[Format, Path | None], only: list[str]) -> None:
    from sternpost.gates.criterion import Criterion
    from sternpost.gates.gate import GATES, run_gate
    from sternpost.gates.project import load_project
    from sternpost.gates.reports import FORMS

    project = load_project(app, Path(), datetime.now(UTC))
    with errors.status(f"gate {gate}") as shown_status:
        count, numbers = len(only) or len(GATES[gate]), itertools.count(1)

        def tell(criterion: Criterion) -> None:
            shown_status.update(f"gate {gate}: {next(numbers)} of {count}, {criterion.code} {shown(criterion.title)}")

        report = run_gate(project, gate, tell, only)
    if as_json:
        print_json(report.as_data(), indented=True)
    else:
        print_report(report, out)
    for form, path in files.items():
        if path is not None:
            write_file(path, FORMS[form](report))
    if not report.passed:
        raise typer.Exit(STOPPED)


def print_report(report: Report, console: Terminal) -> None:
    """A table of the criteria, what was found, and the verdict."""
    table = Table("", "", "criterion", "looked at", box=None, header_style="bold", padding=(0, 2, 0, 0))
    for result in report.results:
        outcome = result.answer.outcome
        mark, style = ("waived", "yellow") if result.waiver else (_MARKS[outcome], _STYLES[outcome])
        table.add_row(
            Text(mark, style=style),
            Text(result.criterion.code),
            Text(result.criterion.title),
            Text(visible(result.answer.looked_at)),
        )
    console.table(table)
    for result in report.results:
        _print_findings(result, console)
    for problem in report.problems:
        console.print(Text(f"\n{visible(problem)}", style="red"))
    if report.passed:
        what = "the gate" if not report.partial else "these criteria of the gate"
        console.print(f"\n[green bold]PASSED[/] {what} {report.gate}, in {report.seconds:.1f} s")
        return
    stopping = [result.answer.outcome for result in report.results if result.stops]
    counts = [(stopping.count("fail"), "not met"), (stopping.count("could not check"), "could not be checked")]
    told = ", ".join(f"{count} {what}" for count, what in counts if count)
    console.print(
        f"\n[red bold]STOP[/] at the gate {report.gate}"
        + (f": of {len(report.results)} criteria {told}" if told else "")
    )


def _print_findings(result: Result, console: Terminal) -> None:
    answer = result.answer
    if result.waiver is not None:
        waiver = result.waiver
        console.print(
            Text(
                f"\n{result.criterion.code} is waived until {waiver.until} by {visible(waiver.by)}: "
                f"{visible(waiver.reason)}"
            )
        )
    if not answer.findings:
        return
    console.print(
        f"\n[bold]{result.criterion.code}[/] {shown(result.criterion.title)}  [dim]why: sternpost gate explain "
        f"{result.criterion.code}[/]"
    )
    for (what, fix), alike in groupby(answer.findings, lambda finding: (finding.what, finding.fix)):
        where = ", ".join(finding.where for finding in alike)
        console.print(f"  {shown(where)}: {shown(what)}\n      [green]fix:[/] {shown(fix)}")


def _print_standings(found: list[Standing], console: Terminal) -> None:
    table = Table("gate", "state", "", box=None, header_style="bold", padding=(0, 2, 0, 0))
    for standing in found:
        style = "green" if standing.state == "passed" else "red bold"
        table.add_row(Text(standing.gate), Text(standing.state, style=style), Text(visible(standing.why)))
    console.table(table)

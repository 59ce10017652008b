"""`sternpost load`: calls at a rate that does not wait for answers, measured against the objectives of the contract."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from sternpost.cli.output import errors, out, print_json, shown, write_file
from sternpost.errors import StartupError
from sternpost.visible import visible

if TYPE_CHECKING:
    from sternpost.gates.project import Project
    from sternpost.load.measuring import Run

MISSED = 1
"""The exit status where an objective is not met, or nothing was measured."""

EVIDENCE = "load"
SECONDS = {"smoke": 5.0, "load": 30.0, "stress": 0.0, "soak": 1800.0, "spike": 30.0}

load_cli = typer.Typer(
    help="Test the service under load, against the objectives of the contract.", no_args_is_help=True
)


@load_cli.command()
def run(
    app: Annotated[
        str | None,
        typer.Argument(
            help="The application as module:attribute; by default the one set in pyproject.toml", show_default=False
        ),
    ] = None,
    kind: Annotated[
        Literal["smoke", "load", "stress", "soak", "spike"],
        typer.Option(
            help="smoke: a few calls; load: the declared rates; stress: rising rates until the objectives are missed; "
            "soak: the declared rates for half an hour; spike: five times the rates, and what comes behind"
        ),
    ] = "load",
    seconds: Annotated[
        float | None, typer.Option(help="How long; by default as long as the kind takes", min=1, show_default=False)
    ] = None,
    operation: Annotated[
        list[str] | None,
        typer.Option(help="Measure this operation; by default those with critical=True, else all; can be repeated"),
    ] = None,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Calls a second of each operation, in place of the declared ones", min=0.1, show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Also write a page with plots to this file", show_default=False)
    ] = None,
) -> None:
    """Start the service with an empty database, fill it, and call it. Exit status 1 where an objective is not met."""
    from sternpost.gates.evidence import write_evidence
    from sternpost.gates.fingerprint import fingerprint
    from sternpost.gates.project import load_project
    from sternpost.version import __version__

    if find_spec("hdrh") is None:
        raise StartupError("hdrhistogram is not installed: pip install 'sternpost[load]'")
    project = load_project(app, Path(), datetime.now(UTC))
    if project.application is None:
        raise StartupError("The contract has mistakes: run sternpost contract check")
    found = _measured(project, kind, SECONDS[kind] if seconds is None else seconds, operation or [], rate)
    before = _last(project.root)
    data = {
        **found.as_data(),
        "at": project.now.isoformat(),
        "sternpost": __version__,
        "fingerprint": fingerprint(project).as_data(),
    }
    write_evidence(project.root, EVIDENCE, data)
    _show(data, before, as_json=as_json, html=html)


@load_cli.command()
def report(
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON")] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page with plots to this file", show_default=False)
    ] = None,
) -> None:
    """Show the last load again. Exit status 1 where an objective was not met."""
    data = _last(Path())
    if data is None:
        raise StartupError("There is no load yet: run sternpost load run")
    _show(data, None, as_json=as_json, html=html)


def _measured(project: Project, kind: Any, seconds: float, named: list[str], rate: float | None) -> Run:
    from sternpost.load.measuring import Measuring
    from sternpost.load.objectives import critical_paths, goal_of
    from sternpost.load.scenario import Path as LoadPath
    from sternpost.load.scenario import Scenario, Unmeasurable, with_rate
    from sternpost.plan.scopes import known_scopes
    from sternpost.scratch.rows import RowMaker
    from sternpost.scratch.service import ScratchService

    plan = project.plan
    unknown = [each for each in named if each not in plan.operations]
    if unknown:
        raise StartupError(f"There is no operation {unknown[0]}; the operations are {', '.join(plan.operations)}")
    if plan.external:
        raise StartupError("Its database is not Sternpost's own, so that no empty one can be filled for a load")
    paths = [
        with_rate(LoadPath(resource, operation, goal_of(operation)), rate)
        for resource, operation in critical_paths(plan, named)
    ]
    with ExitStack() as closing, errors.status("starting the service") as status:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="sternpost-load-")))
        service = ScratchService(project.root, project.name, log=folder / "service.log")
        closing.callback(service.close)
        service.start()
        maker = RowMaker(plan, service, sorted(known_scopes(plan)))
        maker.make_one_of_each()
        maker.make_callers()

        def told(what: str, answered: int) -> None:
            status.update(shown(f"{what}: {answered} calls answered" if answered else what))

        scenario = Scenario(maker, lambda what: told(f"preparing {what}", 0))
        try:
            return Measuring(service, scenario, paths, told).run(kind, seconds)
        except Unmeasurable as error:
            raise StartupError(str(error)) from error


def _last(root: Path) -> dict[str, Any] | None:
    """The evidence of the last load; None where there is none, or it is none of ours."""
    from sternpost.gates.evidence import BrokenEvidence, read_kept

    try:
        kept = read_kept(root, EVIDENCE)
    except BrokenEvidence as error:
        errors.print(Text(f"The evidence of the last load is not used: {error}", style="yellow"))
        return None
    return None if kept is None else dict(kept[0])


def _show(data: dict[str, Any], before: dict[str, Any] | None, *, as_json: bool, html: Path | None) -> None:
    from sternpost.load.report import html as page

    if as_json:
        print_json(data, indented=True)
    else:
        _print(data, before)
    if html is not None:
        write_file(html, page(data))
    if data["missed"] or data["lagged"]:
        raise typer.Exit(MISSED)


def _print(data: dict[str, Any], before: dict[str, Any] | None) -> None:
    earlier = _by_operation(before) if before is not None and before["kind"] == data["kind"] else {}
    names = ("", "operation", "calls", "a second", "p50 ms", "p95 ms", "p99 ms", "longest", "p95 before", "")
    table = Table(*names, box=None, header_style="bold", padding=(0, 2, 0, 0))
    for phase in data["phases"]:
        for each in phase["measured"]:
            last = earlier.get((phase["phase"]["name"], each["operation"]))
            table.add_row(
                Text(phase["phase"]["name"]),
                Text(each["operation"]),
                str(each["calls"]),
                f"{each['served']:.0f}",
                *(f"{each[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms", "longest_ms")),
                "" if last is None else f"{last['p95_ms']:.1f}",
                Text("; ".join(each["missed"]) or "met", style="red" if each["missed"] else "green"),
            )
    out.table(table)
    late = max((phase["lag_ms"] for phase in data["phases"]), default=0.0)
    out.print(f"\n[dim]The load itself was late by {late:.1f} ms for one in a hundred calls.[/]")
    if data["kind"] == "stress":
        knee = data["knee"]
        out.print(
            "The objectives were not met at half of the declared rates."
            if knee is None
            else f"The knee: the objectives are met up to [bold]{knee:g} ×[/] the declared rates."
        )
    for lagged in data["lagged"]:
        out.print(f"[red bold]NOT MEASURED[/] {shown(visible(lagged))}")
    if data["missed"]:
        out.print(f"[red bold]MISSED[/] {len(data['missed'])} of the objectives")
    elif not data["lagged"]:
        out.print("[green bold]MET[/] all objectives")


def _by_operation(data: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(phase["phase"]["name"], each["operation"]): each for phase in data["phases"] for each in phase["measured"]}

"""The level of the log from the command line: shown, and changed for a time, by the ops port of a service that runs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sternpost.cli.ops import ask, tell_silent
from sternpost.cli.output import out, print_json, shown
from sternpost.errors import StartupError

SECONDS_MAX = 30 * 86_400


def log_level(
    level: Annotated[
        str | None, typer.Argument(help="debug, info, warning or error; without it, the level in force is shown")
    ] = None,
    seconds: Annotated[
        int | None, typer.Option(help="For how long", min=1, max=SECONDS_MAX, show_default=False)
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; it is logged", show_default=False)] = None,
    restore: Annotated[bool, typer.Option("--restore", help="Let STERNPOST_LOG_LEVEL hold again")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Show the level of the log of a service that runs, or change it for a time.

    It asks the ops port (STERNPOST_OPS_HOST, _PORT and _TOKEN), which tells every worker."""
    answer = _asked(level, seconds, reason, restore=restore)
    if as_json:
        print_json(answer)
        return
    out.print(f"[green bold]ok[/] {shown(_told(answer))}")
    for process in answer["processes"]:
        if process["level"] is not None:
            out.print(f"process {process['pid']}: {shown(process['level'])}")
    tell_silent(answer)


def _asked(level: str | None, seconds: int | None, reason: str | None, *, restore: bool) -> Any:
    if restore:
        if level is not None or seconds is not None or reason is not None:
            raise StartupError("--restore stands alone")
        return ask("DELETE", "/log")
    if level is None:
        if seconds is not None or reason is not None:
            raise StartupError("Say which level: debug, info, warning or error")
        return ask("GET", "/log")
    if seconds is None or reason is None:
        raise StartupError("A level holds for a time, and has a reason: give --seconds and --reason")
    return ask("PUT", "/log", {"level": level, "expires": seconds, "reason": reason})


def _told(answer: Any) -> str:
    if answer["expires"] is None:
        return f"{answer['level']} (STERNPOST_LOG_LEVEL)"
    return f"{answer['level']} until {answer['expires']}"

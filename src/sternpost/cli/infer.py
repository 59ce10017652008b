"""What `sternpost contract infer` tells beside the contract: how much of the database is in it, and what is not."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from sternpost.cli.output import Terminal, shown
from sternpost.infer.model import Inferred


def report(inferred: Inferred, written: Path | None, console: Terminal) -> None:
    """The resources that were made, and a table of what was left out and why."""
    where = f" to {written}" if written else ""
    count = len(inferred.tables)
    console.print(f"[green bold]wrote[/] {count} resource{'' if count == 1 else 's'}{shown(where)}")
    if not inferred.left_out:
        return
    table = Table("left out or limited", "because", box=None, header_style="bold")
    for what, why in inferred.left_out:
        table.add_row(shown(what), shown(why))
    console.table(table)

"""How `sternpost contract diff` shows what changed."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from rich.text import Text

from sternpost.cli.output import Terminal
from sternpost.derive.compare import Verdict
from sternpost.visible import visible

_STYLES = {"breaking": "red bold", "additive": "green", "neutral": "dim"}


def print_verdict(verdict: Verdict, waivers: Path, console: Terminal) -> None:
    """A table of all changes, and what fails unless the file `waivers` has it."""
    if not verdict.differences:
        console.print("[green bold]ok[/] nothing has changed for clients")
    else:
        table = Table("class", "change", "what clients see", box=None, header_style="bold", padding=(0, 2))
        for difference in verdict.differences:
            waived = " (waived)" if difference in verdict.waived else ""
            table.add_row(
                Text(difference.kind + waived, style=_STYLES[difference.kind]),
                Text(visible(difference.id)),
                Text(visible(difference.what)),
            )
        console.table(table)
    for waiver in verdict.expired:
        console.print(Text(f"The waiver of {visible(waiver.id)} expired on {waiver.until}", style="red"))
    for waiver in verdict.unused:
        console.print(Text(f"The waiver of {visible(waiver.id)} is not needed: remove it", style="yellow"))
    if verdict.refused:
        count = len(verdict.refused)
        console.print(f"\n[red bold]{count} breaking change{'s' if count > 1 else ''}[/]")
        for difference in verdict.refused:
            console.print(Text(f"  {visible(difference.id)}\n      fix: {visible(difference.fix)}"))
        console.print(Text(f"  or add each to {visible(str(waivers))} with id, reason, by and until"))

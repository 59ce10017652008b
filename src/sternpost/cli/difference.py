"""How `sternpost contract diff` shows what changed."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from sternpost.derive.compare import Verdict

_STYLES = {"breaking": "red bold", "additive": "green", "neutral": "dim"}


def print_verdict(verdict: Verdict, waivers: Path, console: Console) -> None:
    """A table of all changes, and what fails unless the file `waivers` has it."""
    if not verdict.differences:
        console.print("[green bold]ok[/] nothing has changed for clients")
    else:
        table = Table("class", "change", "what clients see", box=None, header_style="bold", padding=(0, 2))
        for difference in verdict.differences:
            waived = " (waived)" if difference in verdict.waived else ""
            table.add_row(
                Text(difference.kind + waived, style=_STYLES[difference.kind]),
                Text(difference.id),
                Text(difference.what),
            )
        console.print(table, soft_wrap=True)
    for waiver in verdict.expired:
        console.print(Text(f"The waiver of {waiver.id} expired on {waiver.until}", style="red"), soft_wrap=True)
    for waiver in verdict.unused:
        console.print(Text(f"The waiver of {waiver.id} is not needed: remove it", style="yellow"), soft_wrap=True)
    if verdict.refused:
        count = len(verdict.refused)
        console.print(f"\n[red bold]{count} breaking change{'s' if count > 1 else ''}[/]")
        for difference in verdict.refused:
            console.print(Text(f"  {difference.id}\n      fix: {difference.fix}"), soft_wrap=True)
        console.print(Text(f"  or add each to {waivers} with id, reason, by and until"), soft_wrap=True)

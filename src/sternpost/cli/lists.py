"""What lists allow, and whether an index serves it."""

from __future__ import annotations

from rich.table import Table

from sternpost.cli.output import Terminal, shown
from sternpost.plan.indexes import served
from sternpost.plan.model import Plan


def print_lists(plan: Plan, out: Terminal) -> None:
    """Prints each filter and sort with its index; one that scans every row is pointed out."""
    table = Table("list", "field", "index", "serves", "scans every row", box=None, padding=(0, 2, 0, 0))
    for resource in plan.resources:
        for one in served(resource):
            scans = f"[yellow]{shown(', '.join(one.by_scan))}[/]" if one.by_scan else ""
            plain = (resource.path, one.field, one.index or "", ", ".join(one.by_index))
            table.add_row(*map(shown, plain), scans)
    if table.row_count:
        out.table(table)

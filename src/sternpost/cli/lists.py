"""What lists allow, and whether an index serves it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from sternpost.plan.indexes import served
from sternpost.plan.model import Plan


def print_lists(plan: Plan, out: Console) -> None:
    """Prints each filter and sort with its index; one that scans every row is pointed out."""
    table = Table("list", "field", "index", "serves", "scans every row", box=None, padding=(0, 2, 0, 0))
    for resource in plan.resources:
        for one in served(resource):
            scans = f"[yellow]{', '.join(one.by_scan)}[/]" if one.by_scan else ""
            table.add_row(resource.path, one.field, one.index or "", ", ".join(one.by_index), scans)
    if table.row_count:
        out.print(table)

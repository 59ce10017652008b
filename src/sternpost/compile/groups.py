"""Groups of fields in a class line: those that are unique together, and those that have an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.names import listed
from sternpost.compile.options import is_names, shown
from sternpost.kinds import KINDS


def read_groups(draft: ResourceDraft, report: Report) -> None:
    """Checks `unique=` and `indexes=`; the draft gets the groups that are valid."""
    draft.unique = _unique(draft, report)
    draft.indexes = _indexes(draft, report)


def _unique(draft: ResourceDraft, report: Report) -> tuple[tuple[str, ...], ...]:
    given = draft.keyword("unique", ())
    groups = _listed(given)
    fix = f'write unique=[("a", "b")] with some of {listed(draft.fields)}'
    where = draft.where_keyword("unique")
    if groups is None:
        report.add(where, "SP107", f"{draft.name}: unique={shown(given)} is not a list of tuples", fix)
        return ()
    valid: list[tuple[str, ...]] = []
    for group in groups:
        if not _is_group(group, draft):
            message = (
                f"{draft.name}: the unique group {shown(group)} is not a tuple of different fields of the resource"
            )
            report.add(where, "SP107", message, fix)
            continue
        if any(not KINDS[draft.fields[name].kind].ordered for name in group):
            message = f"{draft.name}: the unique group {shown(group)} contains a json field, which cannot be unique"
            report.add(where, "SP213", message, "leave it out of the group")
        valid.append(tuple(group))
    return tuple(valid)


def _indexes(draft: ResourceDraft, report: Report) -> tuple[tuple[str, ...], ...]:
    given = draft.keyword("indexes", ())
    groups = _listed(given)
    fix = f'write indexes=[("a", "-b")] with some of {listed(draft.fields)}; a leading - means descending'
    where = draft.where_keyword("indexes")
    if groups is None:
        report.add(where, "SP030", f"{draft.name}: indexes={shown(given)} is not a list of tuples", fix)
        return ()
    valid: list[tuple[str, ...]] = []
    for group in groups:
        names = [name.removeprefix("-") for name in group] if is_names(group) else None
        if names is None or not _is_group(names, draft):
            problem = f"the index {shown(group)} is not a tuple of different fields of the resource"
        else:
            valid.append(tuple(group))
            if any(not KINDS[draft.fields[name].kind].ordered for name in names):
                problem = f"the index {shown(group)} contains a json field, which cannot be sorted"
            elif groups.count(group) > 1:
                problem = f"the index {shown(group)} is declared twice"
            elif draft.external:
                problem, fix = "Sternpost adds no indexes to an external database", "remove indexes"
            else:
                continue
        report.add(where, "SP030", f"{draft.name}: {problem}", fix)
    return tuple(valid)


def _listed(given: Any) -> list[Any] | None:
    """The groups of a list of tuples; None for something else, such as a single group."""
    groups = [*cast("Sequence[Any]", given)] if isinstance(given, list | tuple) else None
    return None if groups is None or (groups and is_names(groups)) else groups


def _is_group(group: Any, draft: ResourceDraft) -> bool:
    return (
        is_names(group)
        and len(group) > 0
        and len(set(group)) == len(group)
        and all(name in draft.fields for name in group)
    )

"""Groups of fields in a class line: those that are unique together, and those that have an index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
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
    _ignore_case_of_addresses(draft)


def _ignore_case_of_addresses(draft: ResourceDraft) -> None:
    """E-mail addresses that are unique, alone or in a group, ignore the case of letters: no provider tells two people
    apart by it. What the database of another program takes for equal is not known."""
    if draft.external:
        return
    grouped = {name for group in draft.unique for name in group}
    tenant = draft.keyword("tenant")  # which is compared exactly, everywhere
    for name, field in draft.fields.items():
        if name == tenant:
            draft.fields[name] = replace(field, ignore_case=False)
        elif field.format == "email" and (field.unique or name in grouped):
            draft.fields[name] = replace(field, ignore_case=True)


def _unique(draft: ResourceDraft, report: Report) -> tuple[tuple[str, ...], ...]:
    fix = f'write unique=[("a", "b")] with some of {listed(draft.fields)}'
    groups = _groups(draft, report, "unique", "SP107", "unique group", fix)
    for group in groups:
        if _has_json(draft, group):
            message = f"{draft.name}: the unique group {shown(group)} contains a json field, which cannot be unique"
            report.add(draft.where_keyword("unique"), "SP213", message, "leave it out of the group")
    return groups


def _indexes(draft: ResourceDraft, report: Report) -> tuple[tuple[str, ...], ...]:
    fix = f'write indexes=[("a", "-b")] with some of {listed(draft.fields)}; a leading - means descending'
    groups = _groups(draft, report, "indexes", "SP030", "index", fix, descending="-")
    for group in groups:
        if _has_json(draft, [name.removeprefix("-") for name in group]):
            problem = f"the index {shown(group)} contains a json field, which cannot be sorted"
        elif groups.count(group) > 1:
            problem = f"the index {shown(group)} is declared twice"
        elif draft.external:
            problem, fix = "Sternpost adds no indexes to an external database", "remove indexes"
        else:
            continue
        report.add(draft.where_keyword("indexes"), "SP030", f"{draft.name}: {problem}", fix)
    return groups


def _groups(
    draft: ResourceDraft, report: Report, keyword: str, code: str, what: str, fix: str, descending: str = ""
) -> tuple[tuple[str, ...], ...]:
    """The groups of a keyword that name different fields of the resource; the others are reported.

    Args:
        descending: what may stand before a name.
    """
    given = draft.keyword(keyword, ())
    groups = _listed(given)
    where = draft.where_keyword(keyword)
    if groups is None:
        report.add(where, code, f"{draft.name}: {keyword}={shown(given)} is not a list of tuples", fix)
        return ()
    valid: list[tuple[str, ...]] = []
    for group in groups:
        if is_names(group) and _are_fields([name.removeprefix(descending) for name in group], draft):
            valid.append(tuple(group))
        else:
            problem = f"the {what} {shown(group)} is not a tuple of different fields of the resource"
            report.add(where, code, f"{draft.name}: {problem}", fix)
    return tuple(valid)


def _has_json(draft: ResourceDraft, names: Sequence[str]) -> bool:
    """Whether one of the fields has values without an order."""
    return any(not KINDS[draft.fields[name].kind].ordered for name in names)


def _listed(given: Any) -> list[Any] | None:
    """The groups of a list of tuples; None for something else, such as a single group."""
    groups = [*cast("Sequence[Any]", given)] if isinstance(given, list | tuple) else None
    return None if groups is None or (groups and is_names(groups)) else groups


def _are_fields(names: Sequence[str], draft: ResourceDraft) -> bool:
    """Whether these are different fields of the resource, and at least one."""
    return 0 < len(names) == len(set(names)) and all(name in draft.fields for name in names)

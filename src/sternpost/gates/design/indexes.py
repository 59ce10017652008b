"""D10: what lists are filtered and sorted by."""

from __future__ import annotations

from typing import Any, cast

from sternpost.errors import StartupError
from sternpost.gates.criterion import Answer, Criterion, Finding, could_not_check, counted, judged, not_applicable
from sternpost.gates.project import Project
from sternpost.plan.indexes import served

SCANNING = frozenset(("contains",))
"""Filters that no index serves, and that are chosen for the sake of a few rows. (`ne` and `notIn` leave out a few.)"""

_ACCEPT = "scans under [tool.sternpost.gates] in pyproject.toml"


def _check(project: Project) -> Answer:
    lists = [(resource, served(resource)) for resource in project.plan.resources if resource.listing is not None]
    looked_at = f"{counted(sum(len(fields) for _, fields in lists), 'field')} that lists are filtered or sorted by"
    if not lists:
        return not_applicable(looked_at, "the contract has no list")
    if project.plan.external:
        why = "the indexes of an external database are its owner's"
        return could_not_check(looked_at, why, "look at them, and let a waiver say who did")
    accepted = _accepted(project)
    known = {f"{resource.name}.{field.field}" for resource, fields in lists for field in fields}
    findings = [
        Finding(_ACCEPT, f"{name} is no field that a list is filtered or sorted by", "remove it")
        for name in accepted
        if name not in known
    ]
    for resource, fields in lists:
        for field in fields:
            name = f"{resource.name}.{field.field}"
            scanned = [use for use in field.by_scan if use in SCANNING or use == "sort"]
            if scanned and name not in accepted:
                what = f"{', '.join(scanned)} looks at every row of the list"
                fix = f'use startsWith, or Browse(search=[…]) for words; or write scans = ["{name}"]'
                findings.append(Finding(name, what, fix))
    seen = f", {len(accepted)} accepted as scans: {', '.join(accepted)}" if accepted else ""
    return judged(looked_at + seen, findings)


def _accepted(project: Project) -> list[str]:
    given: Any = project.options.get("scans", [])
    if not isinstance(given, list) or not all(isinstance(each, str) for each in cast("list[Any]", given)):
        raise StartupError(f"{_ACCEPT} has to be a list of names such as User.name")
    return cast("list[str]", given)


CRITERION = Criterion(
    "D10",
    "What lists are filtered and sorted by has an index",
    "A list that looks at every row is quick in development, and slow once the table has grown.",
    "Use filters that an index serves. Where looking at every row is right, because the table stays small, name the "
    "field "
    "in `scans` under `[tool.sternpost.gates]` in `pyproject.toml`.",
    _check,
    diagnostics=("SP424", "SP440", "SP442"),
)

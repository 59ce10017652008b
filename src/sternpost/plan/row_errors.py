"""The errors of rows that break a rule over rows: the same whether the input or the database has shown it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sternpost.errors import ConstraintViolated, Detail, Overlapping
from sternpost.plan.model import FieldPlan, ResourcePlan
from sternpost.plan.row_rules import CheckPlan, OverlapPlan, described


def broken(resource: ResourcePlan, row: Mapping[str, Any]) -> list[CheckPlan]:
    """The checks of a resource that some values of a row are known to break."""
    return [check for check, test in resource.row_checks if test(row) is False]


def refuse_broken(resource: ResourcePlan, row: Mapping[str, Any]) -> None:
    """Raises `ConstraintViolated` where values of a row are known to break a check."""
    if resource.checks and (found := broken(resource, row)):
        raise check_error(resource, found)


def check_error(
    resource: ResourcePlan, found: Iterable[CheckPlan], log: dict[str, Any] | None = None
) -> ConstraintViolated:
    """The error of checks that are broken."""
    details = [
        Detail(field.public_name, check.name, check_text(resource, check))
        for check in found
        for field in _named(resource, check.fields)
    ]
    return ConstraintViolated(details=details, log=log)


def overlap_error(resource: ResourcePlan, overlap: OverlapPlan, log: dict[str, Any] | None = None) -> Overlapping:
    """The error of a span that overlaps another row's. It tells nothing of that row."""
    keys = [field.public_name for field in _shown(resource, overlap.keys) if field.generated != "tenant"]
    same = f" with the same {' and '.join(keys)}" if keys else ""
    spans = [field.public_name for field in _shown(resource, (overlap.start, overlap.end))]
    message = f"The span of {' and '.join(spans)} overlaps that of another row{same}"
    return Overlapping(details=[Detail(name, "overlap", message) for name in spans], log=log)


def check_text(resource: ResourcePlan, check: CheckPlan) -> str:
    """What clients are told of a check, in the names that a version of the API has."""
    return check.message or f"This must hold: {described(check.condition, resource.fields_by_name)}"


def _shown(resource: ResourcePlan, names: Iterable[str]) -> list[FieldPlan]:
    return [resource.fields_by_name[name] for name in names if not resource.fields_by_name[name].hidden]


def _named(resource: ResourcePlan, names: Iterable[str]) -> list[FieldPlan]:
    """The fields that an error names: those that a client can set, where there are any."""
    fields = _shown(resource, names)
    return [field for field in fields if field.write != "never"] or fields

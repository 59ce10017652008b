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


def overlap_text(resource: ResourcePlan, overlap: OverlapPlan) -> str:
    """What documentation says of spans that do not overlap."""
    keys = [field.public_name for field in _shown(resource, overlap.keys) if field.generated != "tenant"]
    same = f" of rows with the same {' and '.join(keys)}" if keys else ""
    span = " to ".join(field.public_name for field in _shown(resource, (overlap.start, overlap.end)))
    where = "" if overlap.where is None else f", where {described(overlap.where, resource.fields_by_name)}"
    return f"The spans from {span}{same} do not overlap{where}; the end does not belong to them"


def check_text(resource: ResourcePlan, check: CheckPlan) -> str:
    """What clients are told of a check, in the names that a version of the API has."""
    if check.message:
        return check.message
    if not resource.fields_by_name.keys() >= {*check.fields}:
        return "The values break a rule of the data"
    return f"This must hold: {described(check.condition, resource.fields_by_name)}"


def _shown(resource: ResourcePlan, names: Iterable[str]) -> list[FieldPlan]:
    fields = resource.fields_by_name  # an older version of the API may not have all of them
    return [fields[name] for name in names if name in fields and not fields[name].hidden]


def _named(resource: ResourcePlan, names: Iterable[str]) -> list[FieldPlan]:
    """The fields that an error names: those that a client can set, where there are any."""
    fields = _shown(resource, names)
    return [field for field in fields if field.write != "never"] or fields

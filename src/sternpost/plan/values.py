"""Values of a plan (JSON-ready) and of documents as the Python values that authors and drivers work with."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sternpost.ids import decode, read_uuid
from sternpost.kinds import KINDS, READERS
from sternpost.plan.model import FieldPlan, Plan, ResourcePlan


def from_plan(field: FieldPlan, value: Any) -> Any:
    """The Python value of a JSON-ready one: text becomes `Decimal`, `datetime`, `date` or `UUID` as the field says."""
    read = READERS.get(field.kind)
    return value if value is None or read is None else read(value)


def tenant_value(plan: Plan, resource: ResourcePlan, tenant: str | None) -> Any:
    """The tenant of a token as the value of a resource's field, an id as its digits; None where it cannot be one."""
    if tenant is None:
        return None
    field = resource.fields_by_name[str(resource.tenant)]
    if field.references is not None:
        return decode(plan.by_name[field.references].prefix, tenant)
    fits = (field.min_length or 0) <= len(tenant) <= (field.max_length or len(tenant))
    try:
        found = KINDS[field.kind].read(tenant) if fits else None
    except ValueError:
        return None
    return read_uuid(tenant) if isinstance(found, UUID) else found

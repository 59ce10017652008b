"""Values of a plan (JSON-ready) and of documents as the Python values that authors and drivers work with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sternpost.ids import decode
from sternpost.plan.model import FieldPlan, Kind, Plan, ResourcePlan


def _datetime(value: Any) -> datetime:
    found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    # the first and the last instant are PostgreSQL's infinities to its driver, which gives them back without a zone
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _date(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


_PYTHON: dict[Kind, Callable[[Any], Any]] = {"datetime": _datetime, "date": _date, "decimal": Decimal, "uuid": _uuid}


def from_plan(field: FieldPlan, value: Any) -> Any:
    """The Python value of a JSON-ready one: text becomes `Decimal`, `datetime`, `date` or `UUID` as the field says."""
    convert = _PYTHON.get(field.kind)
    return value if value is None or convert is None else convert(value)


def tenant_value(plan: Plan, resource: ResourcePlan, tenant: str | None) -> Any:
    """The tenant of a token as the value of a resource's field, an id as its digits; None where it cannot be one."""
    if tenant is None:
        return None
    field = resource.fields_by_name[str(resource.tenant)]
    match field.kind:
        case "id":
            return decode(plan.by_name[str(field.references)].prefix, tenant)
        case "uuid":
            try:
                return UUID(tenant)
            except ValueError:
                return None
        case _:
            fits = (field.min_length or 0) <= len(tenant) <= (field.max_length or len(tenant))
            return tenant if fits else None

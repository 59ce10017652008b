"""Sets the tenant of new rows, and keeps it from being changed."""

from __future__ import annotations

from collections.abc import Iterable

from sternpost.errors import TenantRequired
from sternpost.plan.model import Plan, ResourcePlan
from sternpost.plan.values import tenant_value
from sternpost.ports.storage import Values, Visibility


def of_tenant(plan: Plan, resource: ResourcePlan, values: Values, visibility: Visibility) -> Values:
    """The values of a new row with its tenant.

    Raises:
        TenantRequired: there is no tenant to give the row to.
        RuntimeError: the author's code says another tenant's, or, across all of them, none; or makes a tenant, but not
            across all of them.
    """
    if resource.tenant is None:
        return values
    name, given = resource.tenant, values.get(resource.tenant)
    if name == "id":
        if not visibility.every:
            raise RuntimeError(f"The rows of {resource.name} are the tenants: create them for all tenants")
        return values
    if visibility.every:
        if given is None:
            raise RuntimeError(f"For all tenants, a new {resource.name} must name its tenant: set {name}")
        return values
    own = tenant_value(plan, resource, visibility.tenant)
    if own is None:
        raise TenantRequired
    if given is not None and given != own:
        raise RuntimeError(f"{resource.name}.{name} is always the current tenant; leave it out")
    return {**values, name: own}


def refuse_move(resource: ResourcePlan, names: Iterable[str]) -> None:
    """No row goes from one tenant to another: what refers to it would stay behind."""
    if resource.tenant is not None and resource.tenant in names:
        raise RuntimeError(f"{resource.name}.{resource.tenant} is the tenant of the row, and cannot be changed")

"""What the audit trail records of a table's rows, as data: the drivers make triggers of it, and migrations
compare it."""

from __future__ import annotations

from dataclasses import dataclass

from sternpost.kinds import KINDS, Kind
from sternpost.plan.model import Plan, RelationPlan, ResourcePlan

AUDIT_TABLE = "sternpost_audit"
MASK = "***"
"""Stands for a value of a sensitive field."""


@dataclass(frozen=True)
class RowAudit:
    """What is recorded of a table's rows.

    Attributes:
        resource, prefix: how the trail names a row.
        columns: those that are recorded; what is not named here never gets into the trail.
        masked: those of which only is recorded that they changed.
        reals: those that hold floating point numbers, or bytes: SQLite's JSON functions would cut the one, and refuse
            the other.
        deleted: the column that says since when a row that is kept is deleted.
        tenant, tenant_prefix: the column that says whose row it is; the prefix where it holds an id.
    """

    resource: str
    prefix: str
    columns: tuple[str, ...]
    masked: tuple[str, ...] = ()
    reals: tuple[str, ...] = ()
    deleted: str | None = None
    tenant: str | None = None
    tenant_prefix: str | None = None

    @property
    def key(self) -> str:
        """What it is known by among the triggers of its table."""
        return AUDIT_TABLE


@dataclass(frozen=True)
class LinkAudit:
    """What is recorded of a many-to-many relation: which row got, or lost, which other."""

    resource: str
    prefix: str
    relation: str
    local: str
    remote: str
    remote_prefix: str

    @property
    def key(self) -> str:
        return f"{AUDIT_TABLE}_{self.prefix}_{self.relation}"


Audit = RowAudit | LinkAudit


def row_audit(plan: Plan, resource: ResourcePlan) -> RowAudit:
    """What a plan asks to be recorded of a resource's rows: all but what never leaves the service."""
    shown = [field for field in resource.fields if not field.hidden or field.name == plan.owning_key(resource)]
    tenant = resource.fields_by_name[resource.tenant] if resource.tenant else None
    return RowAudit(
        resource.name,
        resource.prefix,
        tuple(field.column_name for field in shown),
        tuple(field.column_name for field in shown if field.sensitive),
        tuple(field.column_name for field in shown if _is_quoted(KINDS[field.kind])),
        next((field.column_name for field in resource.fields if field.generated == "deleted"), None),
        tenant.column_name if tenant else None,
        plan.by_name[tenant.references].prefix if tenant and tenant.references else None,
    )


def _is_quoted(kind: Kind) -> bool:
    return (kind.number and not kind.exact) or bytes in kind.types


def link_audit(plan: Plan, resource: ResourcePlan, relation: RelationPlan) -> LinkAudit:
    """What a plan asks to be recorded of one of a resource's many-to-many relations."""
    prefix = plan.by_name[relation.target].prefix
    local, remote = str(relation.link_local), str(relation.link_remote)
    return LinkAudit(resource.name, resource.prefix, relation.name, local, remote, prefix)

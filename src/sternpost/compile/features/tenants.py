"""Tenants: `class Project(Resource, tenant="organization_id")`. The server sets the field, so clients cannot
write it. The rows of `class Organization(Resource, tenant="id")` are the tenants themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.names import a, listed
from sternpost.compile.options import Add, shown
from sternpost.contract.operations import Create, Operation
from sternpost.kinds import KINDS
from sternpost.plan.model import FieldPlan


class Tenants(Feature):
    """Rows that belong to a tenant, and are nothing to others."""

    class_keywords = ("tenant",)

    def read(self, draft: ResourceDraft, report: Report) -> None:
        tenant = draft.keyword("tenant")
        if tenant is None:
            return
        field = draft.fields.get(tenant) if isinstance(tenant, str) else None
        if field is None:
            report.add(
                draft.where_keyword("tenant"),
                "SP040",
                f"{draft.name}: the tenant field {shown(tenant)} does not exist",
                f"name one of {listed(name for name in draft.fields if name != 'id')}",
            )
            return
        problem = _unfit(field)
        if problem is not None:
            report.add(
                draft.where_keyword("tenant"),
                "SP041",
                f"{draft.name}: the tenant field {tenant!r} {problem}",
                'name a required field without default: a reference such as "organization_id", a str or a UUID',
            )
            return
        if field.name == "id":
            return  # the tenant's own row
        draft.fields[field.name] = replace(field, write="never", required=False, generated="tenant")

    def read_all(self, drafts: Mapping[str, ResourceDraft], report: Report) -> None:
        for draft in drafts.values():
            if draft.keyword("tenant") is not None and draft.owned_by is not None:
                report.add(
                    draft.where_keyword("tenant"),
                    "SP042",
                    f"{draft.name} always belongs to the tenant of the {draft.owned_by} that owns it",
                    f"remove tenant here, and declare it on {draft.owned_by}",
                )

    def operation(self, draft: ResourceDraft, name: str, declared: Operation, add: Add) -> Mapping[str, Any]:
        if isinstance(declared, Create) and draft.keyword("tenant") == "id":
            add(
                "allow",
                "SP043",
                f"the rows of {draft.name} are the tenants, and who calls it acts for one that is there already",
                'remove it, and create tenants in a script: async with app.data(tenants="all") as db',
            )
        return {}

    def resource(self, draft: ResourceDraft) -> Mapping[str, Any]:
        tenant = draft.keyword("tenant")
        return {"tenant": tenant if isinstance(tenant, str) and draft.owned_by is None else None}


def _unfit(field: FieldPlan) -> str | None:
    """Why a field cannot hold the tenant; None where it can."""
    if field.name == "id":
        return None
    if not KINDS[field.kind].identifies:
        return f"is {a(field.kind)}, which cannot hold a tenant"
    if field.nullable:
        return "may be null"
    if field.generated is not None or field.computed is not None:
        return "is already set by something else (computed or auto)"
    if field.default is not None or field.caller_default:
        return "has a default"
    return "is optional" if field.on_delete == "set_null" else None

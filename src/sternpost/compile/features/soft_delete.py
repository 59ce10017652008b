"""Soft delete: `class Post(Resource, soft_delete=True)`. It adds one field: when the row was deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.names import camel, listed
from sternpost.compile.options import Add, shown
from sternpost.contract.operations import Operation, Restore
from sternpost.plan.model import DELETED_FIELD, FieldPlan


class SoftDelete(Feature):
    """Rows that are kept when they are deleted, and can be restored."""

    class_keywords = ("soft_delete",)

    def read(self, draft: ResourceDraft, report: Report) -> None:
        wanted = draft.keyword("soft_delete", False)
        if not isinstance(wanted, bool):
            problem, fix = f"soft_delete={shown(wanted)} is not True or False", "write soft_delete=True"
        elif wanted and draft.external:
            problem, fix = (
                "soft_delete adds a column, but Sternpost changes no tables of an external database",
                "remove soft_delete",
            )
        elif wanted and (DELETED_FIELD in draft.types or DELETED_FIELD in draft.fields):
            problem = f"soft_delete already creates the field {DELETED_FIELD}"
            fix = f"remove or rename {DELETED_FIELD}"
        else:
            problem = fix = ""
        if problem:
            report.add(draft.where_keyword("soft_delete"), "SP060", f"{draft.name}: {problem}", fix)
        elif wanted:
            draft.fields[DELETED_FIELD] = FieldPlan(
                name=DELETED_FIELD,
                public_name=camel(DELETED_FIELD),
                kind="datetime",
                nullable=True,
                write="never",
                description="When the row was deleted",
                hidden=True,
                generated="deleted",
            )

    def read_all(self, drafts: Mapping[str, ResourceDraft], report: Report) -> None:
        """Rows that are deleted together with a row must be restorable with it."""
        for draft in drafts.values():
            if draft.owned_by is not None:
                _check_items(draft, drafts[draft.owned_by], report)
            if not _is_kept(draft):
                _check_references(draft, drafts, report)

    def operation(self, draft: ResourceDraft, name: str, declared: Operation, add: Add) -> Mapping[str, Any]:
        if isinstance(declared, Restore) and not _is_kept(draft):
            message = f"{draft.name} has no soft_delete, so deleted rows cannot be restored"
            fix = f"write soft_delete=True in the class line of {draft.name}, or remove the operation"
            add("", "SP062", message, fix)
        return {}

    def resource(self, draft: ResourceDraft) -> Mapping[str, Any]:
        return {"soft_delete": _is_kept(draft)}


def _is_kept(draft: ResourceDraft) -> bool:
    return draft.generated("deleted") is not None


def _check_references(draft: ResourceDraft, drafts: Mapping[str, ResourceDraft], report: Report) -> None:
    """Rows that the database removes with a row that is kept would be missing when that is restored."""
    for field in draft.fields.values():
        target = drafts.get(field.references or "")
        if field.on_delete != "cascade" or field.hidden or target is None or target is draft:
            continue
        if _is_kept(target):
            report.add(
                draft.where(field.name, "on_delete"),
                "SP061",
                f"{draft.name}.{field.name}: a deleted {target.name} can be restored, "
                f"but the {draft.name} rows deleted with it cannot",
                f"write soft_delete=True in the class line of {draft.name}, or choose another on_delete",
            )


def _check_items(draft: ResourceDraft, owner: ResourceDraft, report: Report) -> None:
    """An owned item is deleted and restored with its owner, and frees its unique values only then."""
    if _is_kept(draft):
        report.add(
            draft.where_keyword("soft_delete"),
            "SP060",
            f"{draft.name} is always deleted and restored together with the {owner.name} that owns it",
            f"remove soft_delete here, and declare it on {owner.name}",
        )
    if not _is_kept(owner):
        return
    owning = {f.name for f in draft.fields.values() if f.hidden and f.references == owner.name}
    groups = [*((f.name,) for f in draft.fields.values() if f.unique), *draft.unique]
    for group in groups:
        if not owning.intersection(group):
            report.add(
                draft.where(group[0]) if len(group) == 1 else draft.where_keyword("unique"),
                "SP060",
                f"{draft.name}: items of a deleted {owner.name} would still block unique values of {listed(group)}",
                f"make it unique within the {owner.name}: unique=[({', '.join(map(repr, (*sorted(owning), *group)))})]",
            )

"""Row versions: `version: int = field(auto="version")` counts the changes of a row, and answers carry it as an ETag."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Automatic, Feature
from sternpost.compile.options import FLAG, Add
from sternpost.contract.operations import Delete, Operation, Replace, Transition, Update
from sternpost.plan.model import FieldPlan


class RowVersion(Feature):
    """A field that counts changes, and operations that want to be told which version they change."""

    automatic = {"version": Automatic("integer", "int")}  # noqa: RUF012  (a ClassVar of the base)
    operation_options = {"require_match": FLAG}  # noqa: RUF012

    def read(self, draft: ResourceDraft, report: Report) -> None:
        """At most one field counts the changes. Everyone who sees the row sees it, because it is part of the ETag."""
        counting = _counting(draft)
        if not counting:
            return
        first, *more = counting
        if first.nullable:
            problem, fix = "counts from 1, so it can never be null", "remove | None"
        elif first.read_scope is not None:
            problem, fix = "is part of the row's ETag, so everyone who sees the row can see it", "remove read"
        else:
            problem = fix = None
        if problem is not None and fix is not None:
            where = draft.where(first.name, "read" if first.read_scope else None)
            report.add(where, "SP050", f"{draft.name}.{first.name}: the version {problem}", fix)
        for field in more:
            report.add(
                draft.where(field.name, "auto"),
                "SP050",
                f"{draft.name}.{field.name}: {first.name} already counts the changes",
                "keep one of the two",
            )

    def read_all(self, drafts: Mapping[str, ResourceDraft], report: Report) -> None:
        """Owned items change together with their owner, and the owner's version counts those changes."""
        for draft in drafts.values():
            for field in _counting(draft) if draft.owned_by is not None else ():
                report.add(
                    draft.where(field.name, "auto"),
                    "SP050",
                    f"{draft.name}.{field.name}: "
                    f"changes of {draft.name} are counted by the version of the {draft.owned_by} that owns it",
                    f"remove it here, and declare it on {draft.owned_by}",
                )

    def operation(self, draft: ResourceDraft, name: str, declared: Operation, add: Add) -> Mapping[str, Any]:
        wanted = isinstance(declared, Replace | Update | Delete | Transition) and declared.require_match
        if wanted and not _counting(draft):
            add(
                "require_match",
                "SP051",
                f"require_match needs a version field, which {draft.name} does not have",
                'declare version: int = field(auto="version"), or remove require_match',
            )
        return {"require_match": wanted}


def _counting(draft: ResourceDraft) -> list[FieldPlan]:
    return [field for field in draft.fields.values() if field.generated == "version"]

"""The audit trail: `class Order(Resource, audit=True)`. Each change of a row is recorded with who made it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sternpost.compile.diagnostics import Report
from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.options import shown


class Audit(Feature):
    """Resources whose changes are recorded, together with those of what they own."""

    class_keywords = ("audit",)

    def read(self, draft: ResourceDraft, report: Report) -> None:
        wanted = draft.keyword("audit", False)
        if not isinstance(wanted, bool):
            problem, fix = f"audit={shown(wanted)} is not True or False", "write audit=True"
        elif wanted and draft.external:
            problem = "audit adds a table and triggers, but Sternpost adds nothing to an external database"
            fix = "remove audit"
        else:
            return
        report.add(draft.where_keyword("audit"), "SP031", f"{draft.name}: {problem}", fix)

    def read_all(self, drafts: Mapping[str, ResourceDraft], report: Report) -> None:
        for draft in drafts.values():
            if draft.keyword("audit") is True and draft.owned_by is not None:
                report.add(
                    draft.where_keyword("audit"),
                    "SP031",
                    f"{draft.name} is always recorded in the audit trail together with the {draft.owned_by} "
                    "that owns it",
                    f"remove audit here, and declare it on {draft.owned_by}",
                )

    def resource(self, draft: ResourceDraft) -> Mapping[str, Any]:
        return {"audit": draft.keyword("audit") is True and draft.owned_by is None and not draft.external}

"""Audited operations: `Update(…, audited=True)` writes a line for each call: who did what, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.options import FLAG, Add
from sternpost.contract.operations import Operation


class Audited(Feature):
    """Operations whose calls are told one by one. Every operation may be one."""

    operation_options = {"audited": FLAG}  # noqa: RUF012  (a ClassVar of the base)

    def operation(self, draft: ResourceDraft, name: str, declared: Operation, add: Add) -> Mapping[str, Any]:
        return {"audited": True} if declared.audited is True else {}

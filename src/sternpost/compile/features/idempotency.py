"""Idempotency keys: `Create(…, idempotency="required")` refuses a change that comes without one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.options import Add, Shape
from sternpost.contract.operations import UNDECIDED, Custom, Operation

CHOICES = ("optional", "required")


class Idempotency(Feature):
    """Changes that have to come with a key. Every change may come with one."""

    operation_options = {  # noqa: RUF012  (a ClassVar of the base)
        "idempotency": Shape(
            "SP721",
            '"optional" or "required"',
            '"required"',
            lambda value: value is UNDECIDED or (isinstance(value, str) and value in CHOICES),
        )
    }
    codes = {  # noqa: RUF012
        "SP721": "idempotency of an operation is neither optional nor required",
        "SP722": "an operation that reads requires an idempotency key",
        "SP723": "an operation of an external database requires an idempotency key",
    }

    def operation(self, draft: ResourceDraft, name: str, declared: Operation, add: Add) -> Mapping[str, Any]:
        wanted = getattr(declared, "idempotency", "optional")
        if wanted != "required":
            return {}
        if isinstance(declared, Custom) and declared.method == "GET":
            add(
                "idempotency",
                "SP722",
                "it only reads, so a key makes no difference to it: it can always be asked again",
                'remove idempotency, or write method="POST"',
            )
            return {}
        if draft.external:
            add(
                "idempotency",
                "SP723",
                "keys need a table, but Sternpost adds no tables to an external database",
                "remove idempotency",
            )
            return {}
        return {"idempotency": "required"}

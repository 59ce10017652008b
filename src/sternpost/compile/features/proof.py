"""What has to be proved of an operation: `Create(…, acceptance={…}, critical=True)`, `Read(…, cache="none")` and
`objective=Objective(…)`.

The gates ask for it. A request does not come across any of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from sternpost.compile.draft import ResourceDraft
from sternpost.compile.features.feature import Feature
from sternpost.compile.options import FLAG, Add, Shape, shown
from sternpost.contract.objectives import Objective
from sternpost.contract.operations import UNDECIDED, Operation
from sternpost.plan.model import ObjectivePlan

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
CODE_MAX = 64
TEXT_MAX = 300
NUMBER_MAX = 1_000_000
"""Milliseconds, or calls a second."""


class Proof(Feature):
    """Acceptance criteria, operations that the service cannot do without, and decisions about caching."""

    operation_options = {  # noqa: RUF012  (a ClassVar of the base)
        "acceptance": Shape(
            "SP741",
            "a dictionary of codes and sentences",
            '{"owner-only": "Nobody else can change it"}',
            lambda value: (
                isinstance(value, Mapping)
                and all(isinstance(each, str) for item in cast("Any", value).items() for each in item)
            ),
        ),
        "critical": FLAG,
        "cache": Shape(
            "SP743",
            '"none"; no other strategy is there yet',
            '"none"',
            lambda value: value is UNDECIDED or value == "none",
        ),
        "objective": Shape(
            "SP745",
            "an Objective with positive numbers, and an error_rate below 1",
            "Objective(p95_ms=50)",
            lambda value: value is None or (isinstance(value, Objective) and _is_measurable(value)),
        ),
    }
    codes = {  # noqa: RUF012
        "SP741": "acceptance of an operation is no dictionary of codes and sentences",
        "SP742": "an acceptance criterion has no code that a test can name, or no sentence",
        "SP743": "cache of a read is no strategy",
        "SP744": "an operation that changes something decides about caching",
        "SP745": "an objective is wrong",
    }

    def operation(self, draft: ResourceDraft, name: str, declared: Operation, add: Add) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        acceptance = [(code, text.strip()) for code, text in declared.acceptance.items() if _is_told(code, text, add)]
        if acceptance:
            found["acceptance"] = tuple(acceptance)
        if declared.critical is True:
            found["critical"] = True
        if declared.objective is not None:
            found["objective"] = ObjectivePlan(**asdict(declared.objective))
        if getattr(declared, "cache", UNDECIDED) is not UNDECIDED:
            if getattr(declared, "method", "GET") != "GET":
                add("cache", "SP744", "it changes something: only answers of reads can be kept", "remove cache")
            else:
                found["cache"] = "none"
        return found


def _is_measurable(objective: Objective) -> bool:
    given = [value for value in asdict(objective).values() if value is not None]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in given):
        return False
    share = objective.error_rate
    positive = all(
        0 < value <= NUMBER_MAX for name, value in asdict(objective).items() if name != "error_rate" and value
    )
    return (
        positive and 0 not in (objective.p95_ms, objective.p99_ms, objective.rate) and (share is None or 0 <= share < 1)
    )


def _is_told(code: str, text: str, add: Add) -> bool:
    """Whether a criterion can be named, and says something; else it is reported."""
    if CODE.fullmatch(code) is None or len(code) > CODE_MAX:
        add(
            "acceptance",
            "SP742",
            f"the code {shown(code)} is not one that a test can name",
            f"write words in small letters with dashes between them, at most {CODE_MAX} characters, such as owner-only",
        )
        return False
    if not text.strip() or len(text) > TEXT_MAX or not text.isprintable():
        add(
            "acceptance",
            "SP742",
            f"what {code} says is not a sentence on one line",
            f"say what has to be true, in at most {TEXT_MAX} characters",
        )
        return False
    return True

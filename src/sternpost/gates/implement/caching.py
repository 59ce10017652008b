"""I12: which answers are kept to be given again."""

from __future__ import annotations

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged, not_applicable
from sternpost.gates.project import Project


def _check(project: Project) -> Answer:
    reads = [operation for _, operation in project.plan.operations.values() if operation.method == "GET"]
    looked_at = counted(len(reads), "read")
    if not reads:
        return not_applicable(looked_at, "the contract has none")
    findings = [
        Finding(
            f"operation {operation.id}",
            "nobody has decided whether its answers are kept",
            'ask sternpost advise caching, and write cache="none" where they are not',
        )
        for operation in reads
        if operation.cache is None
    ]
    return judged(
        f"{looked_at}, {sum(operation.cache == 'none' for operation in reads)} of them without a cache", findings
    )


CRITERION = Criterion(
    "I12",
    "Every read decides about caching",
    "A cache that is added in a hurry has no plan for when its entries are wrong. To have none is a decision, too.",
    'Write `cache="none"` at each `Browse(…)`, `Read(…)` and `Custom(…, method="GET")` whose answers are not kept. '
    "`sternpost advise caching` says which strategy fits.",
    _check,
    diagnostics=("SP743", "SP744"),
)

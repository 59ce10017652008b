"""D02: who may call each operation."""

from __future__ import annotations

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project
from sternpost.plan.policy import closed_to_all, open_to_all


def _check(project: Project) -> Answer:
    operations = [operation for _, operation in project.plan.operations.values()]
    public = [operation.id for operation in operations if open_to_all(operation.policy)]
    opened = f", open to everybody: {', '.join(public)}" if public else ", none open to everybody"
    return judged(
        f"the policies of {counted(len(operations), 'operation')}{opened}",
        [
            Finding(
                f"operation {operation.id}",
                "its policy denies everybody, so that nobody can call it",
                "allow somebody, or remove the operation",
            )
            for operation in operations
            if closed_to_all(operation.policy)
        ],
    )


CRITERION = Criterion(
    "D02",
    "Every operation declares who may call it",
    "Broken authorization of objects and of functions leads the OWASP API Security Top 10. It is decided in the "
    "design, "
    "and not found in a review of code.",
    "Write `allow=…` for each operation, and mend what `sternpost contract check` says about policies.",
    _check,
    diagnostics=("SP401", "SP402", "SP5"),
)

"""D03: how often each operation may be called."""

from __future__ import annotations

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project
from sternpost.plan.limits import LimitPlan, describe_limit

_FIX = (
    "declare limit= for the operation, or a default for all in Contract(…, limit=…): "
    "`sternpost advise limits` says which algorithm fits"
)


def _check(project: Project) -> Answer:
    plan = project.plan
    findings: list[Finding] = []
    enforced: set[str] = set()
    for operation_id, (_, operation) in plan.operations.items():
        limits = plan.limits_of(operation)
        refusing = [limit for limit in limits if not limit.shadow]
        enforced.update(map(describe_limit, refusing))
        if not refusing:
            what = "its limits only count: mode is shadow" if limits else "it has no rate limit"
            findings.append(Finding(f"operation {operation_id}", what, _FIX))
        elif all(_is_evaded(limit) for limit in refusing):
            what = "its limits count each value of the input by itself: who sends others is never refused"
            findings.append(Finding(f"operation {operation_id}", what, "count by the caller or the address, too"))
    looked_at = f"the limits of {counted(len(plan.operations), 'operation')}" + (
        f": {'; '.join(sorted(enforced))}" if enforced else ""
    )
    return judged(looked_at, findings)


def _is_evaded(limit: LimitPlan) -> bool:
    return any(whom.what == "given" for whom in limit.by)


CRITERION = Criterion(
    "D03",
    "Every operation has a rate limit that is enforced",
    "Without a limit one caller can use up what all callers share (OWASP API4, unrestricted resource consumption).",
    "Give the contract a default limit, and operations that cost more, or are worth more to an attacker, one of "
    "their own.",
    _check,
    diagnostics=("SP70", "SP71"),
)

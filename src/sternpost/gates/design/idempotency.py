"""D05: what happens where a request comes twice."""

from __future__ import annotations

from sternpost.contract.operations import UNDECIDED
from sternpost.gates.criterion import Answer, Criterion, Finding, judged, not_applicable
from sternpost.gates.project import Project

_KINDS = frozenset(("create", "custom"))
"""Changes that have another effect when they come twice. The others lead to the same state, or their state stops "
"them."""


def _check(project: Project) -> Answer:
    changes = [
        (resource, operation)
        for resource, operation in project.plan.operations.values()
        if operation.method != "GET" and operation.kind in _KINDS
    ]
    looked_at = "changes that would have their effect twice"
    if not changes:
        return not_applicable(looked_at, "the contract has none")
    if project.plan.external:
        return not_applicable(looked_at, "Sternpost keeps no keys in an external database")
    classes = {declared.__name__: declared for declared in project.compiled.classes.values()}
    findings: list[Finding] = []
    required = 0
    for resource, operation in changes:
        required += operation.idempotency == "required"
        declared = getattr(classes[resource.name], operation.name, None)
        if getattr(declared, "idempotency", None) is UNDECIDED:
            findings.append(Finding(f"operation {operation.id}", "it does not say whether it needs a key", _FIX))
    return judged(
        f"changes that would have their effect twice: {len(changes)}, {required} of them with a required key",
        findings,
    )


_FIX = (
    'write idempotency="required" where a repetition costs money or cannot be undone, '
    'else idempotency="optional": clients may then send a key'
)

CRITERION = Criterion(
    "D05",
    "Every operation that would have its effect twice decides about idempotency keys",
    "Clients repeat requests whose answer got lost. Without a key the second request makes a second order.",
    'Write `idempotency="required"` or `idempotency="optional"` in each `Create(…)`, and in each `Custom(…)` that '
    "changes something.",
    _check,
    diagnostics=("SP72",),
)

"""I03: what the service does with input that is wrong."""

from __future__ import annotations

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project
from sternpost.gates.provoked import provoked

_FIX = (
    "declare what the input may be: fields of a Payload with their limits, not Json or Any; and raise an error of "
    "Sternpost for what only a function can tell"
)

_FEW = 10
"""Statuses that a finding lists."""


def _check(project: Project) -> Answer:
    found = provoked(project)
    findings: list[Finding] = []
    for asked, reply in found.bad:
        if reply.status not in asked.statuses:
            wanted = f", not {' or '.join(map(str, sorted(asked.statuses)))}" if len(asked.statuses) < _FEW else ""
            said = f"{asked.what}: answered {reply.status}{wanted}"
            findings.append(Finding(f"operation {asked.operation}", said, _FIX))
    findings += [
        Finding(f"operation {operation}", "no example of its input is known", "give it example={…}")
        for operation in found.without_example
    ]
    operations = len({asked.operation for asked, _ in found.bad})
    return judged(
        f"{counted(len(found.bad), 'bad request')} to {counted(operations, 'operation')} of the running service",
        findings,
    )


CRITERION = Criterion(
    "I03",
    "The edge refuses bad input",
    "Input that reaches code which does not expect it becomes an error 500, or worse, a row.",
    "Give each input its type and its limits in the contract: what is refused there reaches no code.",
    _check,
)

"""I03: what the service does with input that is wrong."""

from __future__ import annotations

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project
from sternpost.gates.provoked import LIMITED, provoked

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
        if reply.status not in asked.statuses and reply.status != LIMITED:
            wanted = f", not {' or '.join(map(str, sorted(asked.statuses)))}" if len(asked.statuses) < _FEW else ""
            said = f"{asked.what}: answered {reply.status}{wanted}"
            findings.append(Finding(f"operation {asked.operation}", said, _FIX))
    findings += [
        Finding(f"operation {operation}", "no example of its input is known", "give it example={…}")
        for operation in found.without_example
    ]
    asked_of = dict.fromkeys(asked.operation for asked, _ in found.bad)
    looked_at = {asked.operation for asked, reply in found.bad if reply.status != LIMITED}
    findings += [
        Finding(f"operation {operation}", "a rate limit has refused every request that was tried", _NARROW)
        for operation in asked_of
        if operation not in looked_at
    ]
    limited = sum(reply.status == LIMITED for _, reply in found.bad)
    told = f"; {limited} of them were refused by a rate limit" if limited else ""
    sent, operations = counted(len(found.bad), "bad request"), counted(len(asked_of), "operation")
    return judged(f"{sent} to {operations} of the running service{told}", findings)


_NARROW = "count it by principal or by address, so that callers do not share what is left"


CRITERION = Criterion(
    "I03",
    "The edge refuses bad input",
    "Input that reaches code which does not expect it becomes an error 500, or worse, a row.",
    "Give each input its type and its limits in the contract: what is refused there reaches no code.",
    _check,
)

"""I07: what was agreed on, and the tests that prove it."""

from __future__ import annotations

from collections import defaultdict

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project
from sternpost.gates.testrun import Tested, tests_of


def _check(project: Project) -> Answer:
    declared = {
        (operation.id, code): text
        for _, operation in project.plan.operations.values()
        for code, text in operation.acceptance
    }
    findings = [
        Finding(
            f"operation {operation.id}",
            "nothing says what has to be true of it",
            'write acceptance={"owner-only": "Nobody else can change it"}',
        )
        for _, operation in project.plan.operations.values()
        if not operation.acceptance
    ]
    run = tests_of(project)
    proofs: dict[tuple[str, str], list[Tested]] = defaultdict(list)
    for test in run.tests:
        for proof in test.proves:
            proofs[proof].append(test)
    if run.status != 0:
        findings.append(Finding("the tests", f"pytest ends with status {run.status}: {run.said}", "mend what fails"))
    for (operation, code), text in declared.items():
        tests = proofs.get((operation, code), [])
        if not any(test.passed for test in tests):
            what = "no test proves it" if not tests else f"{tests[0].id} does not pass"
            fix = f'mark its test: @pytest.mark.proves("{operation}", "{code}")'
            findings.append(Finding(f"operation {operation}", f"{code} ({text}): {what}", fix))
    findings += [
        Finding(tests[0].id, f"it proves {operation} {code}, which the contract does not have", "correct the mark")
        for (operation, code), tests in proofs.items()
        if (operation, code) not in declared
    ]
    proving = len({test.id for tests in proofs.values() for test in tests})
    return judged(
        f"{counted(len(declared), 'acceptance criterion', 'acceptance criteria')} of "
        f"{counted(len(project.plan.operations), 'operation')}, {counted(len(run.tests), 'test')}, {proving} of them "
        "with a mark",
        findings,
    )


CRITERION = Criterion(
    "I07",
    "Every acceptance criterion of every operation is proved by a test",
    "What was agreed on and nobody tests is true on the day it was written, and not after the next change.",
    "Say with `acceptance={…}` at each operation what has to be true of it, and mark the test of each with "
    '`@pytest.mark.proves("tasks.create", "owner-only")`.',
    _check,
    diagnostics=("SP74",),
)

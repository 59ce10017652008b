"""D13: the service among its neighbours, and what it is made of."""

from __future__ import annotations

from sternpost.derive.diagrams import DIAGRAMS, diagrams
from sternpost.gates.criterion import Answer, Criterion, Finding, judged
from sternpost.gates.design.openapi import unlike
from sternpost.gates.project import EMITTED, Project

_EMIT = "run: sternpost contract emit, and commit it"


def _check(project: Project) -> Answer:
    folder = project.folder("emitted", EMITTED)
    expected = diagrams(project.plan)
    findings: list[Finding] = []
    for name in DIAGRAMS:
        path = folder / name
        where = project.shown(path)
        if not path.is_file():
            findings.append(Finding(where, "the file does not exist", _EMIT))
        elif unlike(path.read_bytes(), expected[name].encode()):
            findings.append(Finding(where, "it is not that of the contract as it is", _EMIT))
    return judged(f"{' and '.join(DIAGRAMS)} in {project.shown(folder)}", findings)


CRITERION = Criterion(
    "D13",
    "Diagrams show the service among its neighbours, and what it is made of",
    "A review of the design begins with a picture of it. These are drawn from the contract, so that they are never "
    "out of "
    "date (C4 model, context and container).",
    "Run `sternpost contract emit` and commit the folder that it writes.",
    _check,
)

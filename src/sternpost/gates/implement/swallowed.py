"""I10: errors that are caught, and nobody is told of."""

from __future__ import annotations

from sternpost.gates.criterion import Answer, Criterion, counted, judged
from sternpost.gates.project import Project
from sternpost.gates.sources import broken_rules, sources_of


def _check(project: Project) -> Answer:
    files = sources_of(project)
    return judged(f"the code of {counted(len(files), 'file')}", broken_rules(project, ("SP635", "SP637")))


CRITERION = Criterion(
    "I10",
    "No error is swallowed",
    "An error that nobody is told of is found by a customer, weeks later, without its cause.",
    "Catch the type that is expected, and raise or log the rest. Where nothing is right to do, say why: "
    "`# sternpost: allow[swallowed] …`.",
    _check,
    diagnostics=("SP635", "SP637"),
)

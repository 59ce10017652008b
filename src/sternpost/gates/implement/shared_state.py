"""I11: what code keeps from one request to the next."""

from __future__ import annotations

from sternpost.gates.criterion import Answer, Criterion, counted, judged
from sternpost.gates.project import Project
from sternpost.gates.sources import broken_rules, sources_of


def _check(project: Project) -> Answer:
    files = sources_of(project)
    return judged(f"the code of {counted(len(files), 'file')}", broken_rules(project, ("SP636",)))


CRITERION = Criterion(
    "I11",
    "Handlers keep no state in modules",
    "What one request leaves in a module, the next one sees, of another caller; and a second process has "
    "another copy of it.",
    "Keep it in the database, or provide it to the functions that need it (`provide=`). Where it is right, say why: "
    "`# sternpost: allow[state] …`.",
    _check,
    diagnostics=("SP636",),
)

"""Waivers: criteria that a project does not meet, and somebody has accepted that for a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sternpost.derive.compare import Waiver, read_waivers
from sternpost.gates.criterion import Criterion
from sternpost.gates.project import Project

LONGEST = timedelta(days=90)
FILE = "gate-waivers.toml"


@dataclass(frozen=True, slots=True)
class Waivers:
    """The waivers of a project.

    Attributes:
        valid: by the code of the criterion.
        problems: what is wrong with the others. Each stops the gate.
    """

    valid: dict[str, Waiver]
    problems: tuple[str, ...]


def waivers_of(project: Project, criteria: Sequence[Criterion], known: Sequence[str]) -> Waivers:
    """The waivers of a gate's criteria.

    Args:
        known: the codes of all gates.

    Raises:
        StartupError: the file cannot be read, or a waiver is not complete.
    """
    path = project.folder("waivers", FILE)
    own = {criterion.code: criterion for criterion in criteria}
    valid: dict[str, Waiver] = {}
    problems: list[str] = []
    today = project.now.date()
    for waiver in read_waivers(path):
        criterion = own.get(waiver.id)
        if criterion is None:
            if waiver.id not in known:
                problems.append(f"{path.name}: there is no criterion {waiver.id}")
        elif not criterion.negotiable:
            problems.append(f"{path.name}: {waiver.id} cannot be waived: {criterion.title}")
        elif waiver.until < today:
            problems.append(f"{path.name}: the waiver of {waiver.id} by {waiver.by} expired on {waiver.until}")
        elif waiver.until > today + LONGEST:
            problems.append(
                f"{path.name}: the waiver of {waiver.id} ends on {waiver.until}; it may last {LONGEST.days} days at "
                f"most"
            )
        else:
            valid[waiver.id] = waiver
    return Waivers(valid, tuple(problems))

"""D09: what changes for clients since the last release."""

from __future__ import annotations

import subprocess
from typing import Any

import orjson

from sternpost.derive.compare import judge, plan_at, read_waivers
from sternpost.derive.diff import compare
from sternpost.derive.emit import plan_data
from sternpost.gates.criterion import Answer, Criterion, Finding, judged, not_applicable
from sternpost.gates.project import EMITTED, Project

WAIVERS = "contract-waivers.toml"
PLAN = "plan.json"


def _check(project: Project) -> Answer:
    reference = project.options.get("released") or _last_tag(project)
    if reference is None:
        return not_applicable("tags of git that look like a version", "nothing has been released yet")
    new = orjson.loads(orjson.dumps(plan_data(project.compiled)))
    released = _emitted_at(project, reference) or plan_at(reference, project.name)
    verdict = judge(compare(released, new), read_waivers(project.root / WAIVERS), project.now)
    kinds = [difference.kind for difference in verdict.differences]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("breaking", "additive", "neutral"))
    findings = [Finding(each.id, f"{each.what}: this breaks clients", each.fix) for each in verdict.refused]
    findings += [
        Finding(
            WAIVERS, f"the waiver of {each.id} expired on {each.until}", "take the change back, or renew the waiver"
        )
        for each in verdict.expired
    ]
    return judged(f"changes since {reference}: {counts}", findings)


def _last_tag(project: Project) -> str | None:
    """The last tag before this commit that looks like a version."""
    told = _git(project, "describe", "--tags", "--abbrev=0", "--match", "v[0-9]*", "--match", "[0-9]*")
    return None if told is None else told.decode().strip() or None


def _emitted_at(project: Project, reference: str) -> dict[str, Any] | None:
    """The plan that was emitted and committed there; None where there is none, and the contract has to be compiled."""
    path = project.shown(project.folder("emitted", EMITTED) / PLAN)
    told = _git(project, "show", f"{reference}:./{path}")
    return None if told is None else orjson.loads(told)


def _git(project: Project, *arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=project.root, capture_output=True, check=False)  # noqa: S603, S607
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


CRITERION = Criterion(
    "D09",
    "No change since the last release breaks clients, unless somebody has accepted it",
    "Clients are released by others, and at other times.",
    "Look at `sternpost contract diff TAG`; keep the old behaviour in an older version of the API, or accept the "
    "change in "
    f"`{WAIVERS}`.",
    _check,
)

"""D09: what changes for clients since the last release."""

from __future__ import annotations

import re
import subprocess
from datetime import timedelta
from typing import Any

import orjson

from sternpost.derive.compare import Verdict, judge, plan_at, read_waivers
from sternpost.derive.diff import compare
from sternpost.derive.emit import plan_data
from sternpost.gates.criterion import Answer, Criterion, Finding, could_not_check, counted, judged, not_applicable
from sternpost.gates.git import git
from sternpost.gates.project import EMITTED, Project
from sternpost.gates.waivers import LONGEST

WAIVERS = "contract-waivers.toml"
PLAN = "plan.json"
_TAGS = "tags of git such as v1.4.2"
_OPTION = "released under [tool.sternpost.gates]"
_VERSION = re.compile(r"v?\d+\.\d+(\.\d+)?")


class _GitFailed(Exception):
    """Git is missing, or does not do what it is asked."""


def _check(project: Project) -> Answer:
    named: Any = project.options.get("released")
    try:
        if not _in_repository(project):
            return not_applicable(_TAGS, "the project is in no repository of git")
        if named is not None:
            problem = _problem(project, named)
            if problem:
                return judged(_OPTION, [Finding(_OPTION, f"{named!r} {problem}", "name the tag of the last release")])
            references = [named]
        else:
            if _git(project, "rev-parse", "--is-shallow-repository").strip() == b"true":
                return could_not_check(
                    _TAGS, "the clone is shallow: it has no tags", "run: git fetch --unshallow --tags"
                )
            references = _released(project)
    except _GitFailed as error:
        return could_not_check(_TAGS, f"git failed: {error}", "mend the repository, or install git")
    if not references:
        return not_applicable(_TAGS, "nothing has been released yet")
    findings: list[Finding] = []
    told: list[str] = []
    for reference in references:
        verdict = _verdict(project, reference)
        findings += _findings(project, verdict)
        told.append(_told(reference, verdict))
    return judged("; ".join(told), list(dict.fromkeys(findings)))


def _verdict(project: Project, reference: str) -> Verdict:
    new = orjson.loads(orjson.dumps(plan_data(project.compiled)))
    released = _emitted_at(project, reference) or plan_at(reference, project.name)
    return judge(compare(released, new), read_waivers(project.root / WAIVERS), project.now)


def _findings(project: Project, verdict: Verdict) -> list[Finding]:
    found = [Finding(each.id, f"{each.what}: this breaks clients", each.fix) for each in verdict.refused]
    found += [
        Finding(
            WAIVERS, f"the waiver of {each.id} expired on {each.until}", "take the change back, or renew the waiver"
        )
        for each in verdict.expired
    ]
    waived = {each.id for each in verdict.waived}
    last = project.now.date() + timedelta(days=LONGEST.days)
    found += [
        Finding(WAIVERS, f"the waiver of {each.id} ends on {each.until}", f"let it last {LONGEST.days} days at most")
        for each in read_waivers(project.root / WAIVERS)
        if each.id in waived and each.until > last
    ]
    return found


def _told(reference: str, verdict: Verdict) -> str:
    kinds = [difference.kind for difference in verdict.differences]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in ("breaking", "additive", "neutral"))
    waived = ", ".join(each.id for each in verdict.waived)
    accepted = f", {counted(len(verdict.waived), 'waiver')}: {waived}" if waived else ""
    return f"changes since {reference}: {counts}{accepted}"


def _released(project: Project) -> list[str]:
    """The newest version among the tags of earlier commits, and that of this commit: what is not committed yet changes
    that one, too."""
    earlier = _tags(project, "--merged", "HEAD", "--no-contains", "HEAD")
    return [*earlier[:1], *_tags(project, "--points-at", "HEAD")[:1]]


def _tags(project: Project, *which: str) -> list[str]:
    """Tags that are versions, the newest first."""
    if _try(project, "rev-parse", "--verify", "--quiet", "HEAD") is None:
        return []  # nothing is committed
    told = _git(project, "tag", "--sort=-v:refname", *which).decode(errors="replace").split()
    return [tag for tag in told if _VERSION.fullmatch(tag)]


def _problem(project: Project, reference: Any) -> str:
    """Why something cannot be what was released."""
    if not isinstance(reference, str):
        return "is no name"
    commit = _try(project, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{reference}^{{commit}}")
    if commit is None:
        return "is no commit"
    if commit == _git(project, "rev-parse", "HEAD"):
        return "is this very commit"
    ancestor = _try(project, "merge-base", "--is-ancestor", commit.decode().strip(), "HEAD")
    return "" if ancestor is not None else "is no commit before this one"


def _emitted_at(project: Project, reference: str) -> dict[str, Any] | None:
    """The plan that was emitted and committed there; None where there is none, and the contract has to be compiled."""
    path = project.shown(project.folder("emitted", EMITTED) / PLAN)
    told = _try(project, "show", f"{reference}:./{path}")
    return None if told is None else orjson.loads(told)


def _in_repository(project: Project) -> bool:
    return any((folder / ".git").exists() for folder in (project.root.resolve(), *project.root.resolve().parents))


def _try(project: Project, *arguments: str) -> bytes | None:
    """What git prints; None where it fails."""
    done = _asked(project, *arguments)
    return done.stdout if done.returncode == 0 else None


def _git(project: Project, *arguments: str) -> bytes:
    done = _asked(project, *arguments)
    if done.returncode != 0:
        raise _GitFailed(done.stderr.decode(errors="replace").strip() or arguments[0])
    return done.stdout


def _asked(project: Project, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    done = git(project.root, *arguments)
    if done is None:
        raise _GitFailed("it is not installed")
    return done


CRITERION = Criterion(
    "D09",
    "No change since the last release breaks clients, unless somebody has accepted it",
    "Clients are released by others, and at other times.",
    "Look at `sternpost contract diff TAG`; keep the old behaviour in an older version of the API, or accept the "
    "change in "
    f"`{WAIVERS}`, for at most {LONGEST.days} days.",
    _check,
)

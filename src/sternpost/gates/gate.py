"""Runs a gate: looks at what the gates before it have left, asks each criterion, and keeps the evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sternpost.compile.diagnostics import Diagnostic
from sternpost.derive.compare import Waiver
from sternpost.errors import StartupError
from sternpost.gates.criterion import STOPPING, Answer, Criterion, Finding, counted
from sternpost.gates.design import CRITERIA as DESIGN
from sternpost.gates.evidence import BrokenEvidence, Evidence, forget, read_evidence, write_evidence
from sternpost.gates.fingerprint import Fingerprint, fingerprint
from sternpost.gates.implement import CRITERIA as IMPLEMENT
from sternpost.gates.project import Project
from sternpost.gates.waivers import waivers_of
from sternpost.version import __version__

GATES: dict[str, tuple[Criterion, ...]] = {"design": DESIGN, "implement": IMPLEMENT}
"""In the order in which a project comes to them."""

CLOCK_SLACK = timedelta(minutes=2)
"""By how much clocks of two machines may differ."""

State = Literal["passed", "stopped", "stale", "not run", "broken", "after the present"]


@dataclass(frozen=True, slots=True)
class Result:
    """A criterion, what came of it, and who has accepted that."""

    criterion: Criterion
    answer: Answer
    waiver: Waiver | None = None

    @property
    def stops(self) -> bool:
        """Whether the gate does not let the project pass."""
        return self.answer.outcome in STOPPING and self.waiver is None

    def as_data(self) -> dict[str, Any]:
        """JSON-ready."""
        found = [{"where": each.where, "what": each.what, "fix": each.fix} for each in self.answer.findings]
        waiver = self.waiver
        return {
            "code": self.criterion.code,
            "title": self.criterion.title,
            "outcome": self.answer.outcome,
            "lookedAt": self.answer.looked_at,
            "reason": self.answer.reason,
            "findings": found,
            "page": self.criterion.page,
            "waiver": None
            if waiver is None
            else {"reason": waiver.reason, "by": waiver.by, "until": waiver.until.isoformat()},
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What a gate says.

    Attributes:
        problems: what stops it beside its criteria: waivers, the clock, the gates before it.
        seconds: that it took.
    """

    gate: str
    at: datetime
    fingerprint: Fingerprint
    results: tuple[Result, ...]
    problems: tuple[str, ...]
    earlier: dict[str, str]
    seconds: float

    @property
    def partial(self) -> bool:
        """Whether not all criteria were asked."""
        return len(self.results) < len(GATES[self.gate])

    @property
    def passed(self) -> bool:
        """Whether nothing stops the project."""
        return not self.problems and not any(result.stops for result in self.results)

    def as_data(self) -> dict[str, Any]:
        """JSON-ready: what is kept as evidence."""
        return {
            "gate": self.gate,
            "passed": self.passed,
            "partial": self.partial,
            "at": self.at.isoformat(),
            "seconds": round(self.seconds, 3),
            "sternpost": __version__,
            "fingerprint": self.fingerprint.as_data(),
            "earlier": self.earlier,
            "problems": list(self.problems),
            "criteria": [result.as_data() for result in self.results],
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a project stands with a gate.

    Attributes:
        why: what is the matter, in words; empty where it has passed.
    """

    gate: str
    state: State
    why: str = ""
    evidence: Evidence | None = None


def run_gate(
    project: Project, gate: str, asked: Callable[[Criterion], None] = lambda _: None, only: Sequence[str] = ()
) -> Report:
    """Runs a gate, and keeps its evidence.

    Args:
        asked: told of each criterion before it is looked at.
        only: the codes of the criteria to ask, for a look at some of them: no gate has to be passed before, and no
            evidence is kept. All where it is empty.

    Raises:
        StartupError: a gate before it has not been passed by the project as it is, the evidence cannot be written, the
            waivers cannot be read, or `only` has the code of another gate.
    """
    started = time.monotonic()
    current = fingerprint(project)
    criteria = _chosen(gate, only)
    before = [] if only else list(GATES)[: list(GATES).index(gate)]
    earlier: dict[str, str] = {}
    for each in before:
        standing = _standing(project, each, current)
        if standing.state != "passed" or standing.evidence is None:
            raise StartupError(f"The gate {gate} comes after {each}, which is {standing.state}: {standing.why}")
        earlier[each] = standing.evidence.digest
    problems = [*_clock_problems(project)]
    if not only:
        forget(project.root, gate)
    waivers = waivers_of(project, criteria, [one.code for each in GATES.values() for one in each])
    results: list[Result] = []
    with project.closing:
        for criterion in criteria:
            asked(criterion)
            answer = ask(project, criterion)
            waiver = waivers.valid.get(criterion.code)
            if waiver is not None and answer.outcome not in STOPPING:
                problems.append(f"The waiver of {criterion.code} is not needed any more: remove it")
            results.append(Result(criterion, answer, waiver if answer.outcome in STOPPING else None))
    problems += waivers.problems
    if fingerprint(project) != current:
        problems.append("The project was changed while the gate looked at it: run it again")
    report = Report(gate, project.now, current, tuple(results), tuple(problems), earlier, time.monotonic() - started)
    if not only:
        write_evidence(project.root, gate, report.as_data())
    return report


def _chosen(gate: str, only: Sequence[str]) -> tuple[Criterion, ...]:
    known = {criterion.code: criterion for criterion in GATES[gate]}
    wanted = [code.upper() for code in only]
    unknown = [code for code in wanted if code not in known]
    if unknown:
        raise StartupError(f"The gate {gate} has no criterion {unknown[0]}; it has {', '.join(known)}")
    return tuple(each for code, each in known.items() if not wanted or code in wanted)


def ask(project: Project, criterion: Criterion) -> Answer:
    """What comes of one criterion."""
    if project.mistakes:
        return _of_mistakes(project, criterion)
    try:
        return criterion.check(project)
    except StartupError as error:  # something that the project says is wrong
        return Answer(
            "could not check", criterion.title, (Finding(project.name, str(error), "correct it"),), str(error)
        )
    except Exception as error:  # noqa: BLE001  (whatever it is: what was not looked at is not passed)
        said = f"{type(error).__name__}: {error}"
        return Answer("could not check", criterion.title, (Finding(criterion.code, said, _REPORT),), said)


_REPORT = "mend what it says; if that is not in the project, it is a defect of Sternpost: please report it"


def _of_mistakes(project: Project, criterion: Criterion) -> Answer:
    own = [each for each in project.mistakes if criterion is _about(each)]
    found = tuple(Finding(each.place, f"{each.code} {each.message}", each.fix) for each in own)
    if found:
        return Answer("fail", "the contract", found)
    why = f"the contract has {counted(len(project.mistakes), 'mistake')}"
    fix = "run: sternpost contract check"
    return Answer("could not check", "the contract", (Finding("the contract", why, fix),), why)


def _about(mistake: Diagnostic) -> Criterion:
    """The criterion that a mistake of the contract does not meet: the first one where no other is about it."""
    every = [criterion for criteria in GATES.values() for criterion in criteria]
    return next((each for each in every if mistake.code.startswith(each.diagnostics)), every[0])


def standings(project: Project) -> Iterator[Standing]:
    """Where a project stands with each gate, the first one first."""
    current = fingerprint(project)
    for gate in GATES:
        yield _standing(project, gate, current)


def _standing(project: Project, gate: str, current: Fingerprint) -> Standing:
    run = f"run: sternpost gate {gate}"
    try:
        evidence = read_evidence(project.root, gate)
    except BrokenEvidence as error:
        return Standing(gate, "broken", f"of the evidence: {error}; {run}")
    if evidence is None:
        return Standing(gate, "not run", run)
    if evidence.at > project.now + CLOCK_SLACK:
        return Standing(
            gate, "after the present", f"the evidence is of {evidence.at.isoformat()}; set the clock", evidence
        )
    if evidence.data["sternpost"] != __version__ or [each["code"] for each in evidence.data["criteria"]] != [
        criterion.code for criterion in GATES[gate]
    ]:
        return Standing(gate, "stale", f"it was run with another release of Sternpost; {run}", evidence)
    changed = current.changed_since(evidence.fingerprint)
    if changed:
        return Standing(gate, "stale", f"{_listed(changed)} changed since; {run}", evidence)
    for earlier, digest in evidence.earlier.items():
        before = _readable(project, earlier)
        if before is None or before.digest != digest:
            return Standing(gate, "stale", f"the gate {earlier} was run since; {run}", evidence)
    if not evidence.passed:
        return Standing(gate, "stopped", f"mend what it says, and {run}", evidence)
    overdue = _overdue(evidence, project)
    if overdue:
        return Standing(gate, "stale", f"{overdue}; {run}", evidence)
    return Standing(gate, "passed", "", evidence)


def _readable(project: Project, gate: str) -> Evidence | None:
    """The evidence of a gate; None where there is none, or it is broken."""
    try:
        return read_evidence(project.root, gate)
    except BrokenEvidence:
        return None


def _overdue(evidence: Evidence, project: Project) -> str:
    """A waiver that has ended since."""
    for criterion in evidence.data["criteria"]:
        waiver = criterion["waiver"]
        if waiver is not None and waiver["until"] < project.now.date().isoformat():
            return f"the waiver of {criterion['code']} expired on {waiver['until']}"
    return ""


def _listed(parts: Sequence[str]) -> str:
    return f"the {' and the '.join(parts)} {'has' if len(parts) == 1 else 'have'}"


def _clock_problems(project: Project) -> Iterator[str]:
    """A clock that was set back would let waivers last."""
    for gate in GATES:
        evidence = _readable(project, gate)
        if evidence is not None and evidence.at > project.now + CLOCK_SLACK:
            yield f"The clock says {project.now.isoformat()}, and the gate {gate} was run at {evidence.at.isoformat()}"

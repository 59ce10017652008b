"""What a gate asks: a criterion, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from sternpost.gates.project import Project

Outcome = Literal["pass", "fail", "not applicable", "could not check"]

STOPPING: frozenset[Outcome] = frozenset(("fail", "could not check"))
"""What stops a gate. A criterion that could not be checked is none that is met."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as a criterion asks.

    Attributes:
        where: a file with its line, an operation, a setting.
        fix: what to do about it.
    """

    where: str
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a criterion.

    Attributes:
        looked_at: what was looked at, with figures where there are some.
        reason: why it is not applicable, or could not be checked; empty otherwise.
    """

    outcome: Outcome
    looked_at: str
    findings: tuple[Finding, ...] = ()
    reason: str = ""


def judged(looked_at: str, findings: Sequence[Finding]) -> Answer:
    """A pass where nothing was found, else a fail."""
    return Answer("fail" if findings else "pass", looked_at, tuple(findings))


def not_applicable(looked_at: str, reason: str) -> Answer:
    """There is nothing in the project that the criterion is about."""
    return Answer("not applicable", looked_at, (), reason)


def could_not_check(looked_at: str, reason: str, fix: str) -> Answer:
    """What has to be there to look is missing. It stops the gate as a fail does."""
    return Answer("could not check", looked_at, (Finding(looked_at, reason, fix),), reason)


def counted(number: int, what: str, several: str = "") -> str:
    """Such as `1 list` and `3 lists`; `several` where an s is not enough."""
    return f"{number} {what if number == 1 else several or what + 's'}"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that has to be true of a project.

    Attributes:
        code: such as `D03`: the first letter is the gate's.
        title: what has to be true, as a sentence.
        why: what goes wrong where it is not.
        fix: how a project comes to meet it.
        check: looks at the project. What it raises is told as could not check.
        diagnostics: the beginnings of codes of the compiler. A contract with such a mistake does not meet the
            criterion; with others alone, it could not be checked.
        negotiable: whether a waiver may pass it.
    """

    code: str
    title: str
    why: str
    fix: str
    check: Callable[[Project], Answer]
    diagnostics: tuple[str, ...] = ()
    negotiable: bool = True

    @property
    def page(self) -> str:
        """Its page in the documentation."""
        return f"docs/reference/criteria/{self.code}.md"

"""Tables that advise, and the advice that comes of one: plain frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal


class Fit(IntEnum):
    """How well a choice fits a factor. The value is what it counts."""

    STRONG = 2
    GOOD = 1
    WEAK = -1
    POOR = -2


@dataclass(frozen=True, slots=True)
class Says:
    """What a factor says of a choice.

    Attributes:
        choice: the choice's name.
        fit: what it counts.
        text: the table's own words, such as `needs a WebSocket add-on`.
        because: the reason, as a sentence.
    """

    choice: str
    fit: Fit
    text: str
    because: str


@dataclass(frozen=True, slots=True)
class Factor:
    """A row of a table: something that is the case for a service, or is not.

    Attributes:
        name: in kebab case; the flag, and the key in pyproject.toml.
        title: the row's heading.
        question: asks whether it is the case.
        says: what it says. A choice that is left out is one that it says nothing of.
    """

    name: str
    title: str
    question: str
    says: tuple[Says, ...]

    @property
    def favours(self) -> frozenset[str]:
        """The choices that it speaks for more than for any other."""
        best = max(each.fit for each in self.says)
        return frozenset(each.choice for each in self.says if each.fit == best and best > 0)


@dataclass(frozen=True, slots=True)
class Stub:
    """A declaration to start from.

    Attributes:
        imports: the line that imports what it uses.
        code: the declaration.
        argument: whether it is an argument of `Contract(…)` and of operations, instead of a whole contract.
    """

    imports: str
    code: str
    argument: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What can be chosen.

    Attributes:
        name: in kebab case.
        title: as it is written in sentences.
        known_for: what it is for, in a few words.
        planned: the heading under which the README calls it planned; None for what Sternpost has.
        today: what there is of it, where it is planned.
        note: what else belongs to it.
        stub: its declaration, where there is one.
    """

    name: str
    title: str
    known_for: str = ""
    planned: str | None = None
    today: str = ""
    note: str = ""
    stub: Stub | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """What is known about a topic.

    Attributes:
        topic: its name.
        choices: in the order in which equals are told.
        factors: in the order in which they are asked and told.
        of_ties: what to do where choices tie.
    """

    topic: str
    choices: tuple[Choice, ...]
    factors: tuple[Factor, ...]
    of_ties: str


Standing = Literal["recommended", "possible", "undecided", "discouraged"]
"""`recommended`: nothing has more points, and it has some. `possible`: others have more, or as much speaks against it
as for it. `undecided`: no factor that is the case says anything of it. `discouraged`: more speaks against it than for
it."""


@dataclass(frozen=True, slots=True)
class Reason:
    """What one factor that is the case said of a choice."""

    factor: str
    says: Says


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a choice.

    Attributes:
        points: the sum of what its reasons count.
        reasons: in the order of the table's factors.
    """

    choice: Choice
    standing: Standing
    points: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """What a table says of a described service.

    Attributes:
        verdicts: one for each choice; more points come first, and equals are in the order of the table.
        described: the factors that were described, and whether each is the case, in the order of the table.
        not_described: the other factors. They count nothing.
        tied: the names of the choices that share the most points, where these are several, and a factor speaks for or
            against one.
        remark: why nothing is recommended, or what to do about a tie; empty where one choice is ahead.
    """

    topic: str
    verdicts: tuple[Verdict, ...]
    described: tuple[tuple[str, bool], ...]
    not_described: tuple[str, ...]
    tied: tuple[str, ...]
    remark: str

    @property
    def recommended(self) -> tuple[Choice, ...]:
        """The choices that are recommended; several where they tie, none where nothing speaks for one."""
        return tuple(each.choice for each in self.verdicts if each.standing == "recommended")

    def as_data(self) -> dict[str, Any]:
        """For programs; keys are stable."""
        return {
            "topic": self.topic,
            "factors": dict(self.described),
            "notDescribed": list(self.not_described),
            "recommended": [choice.name for choice in self.recommended],
            "tied": list(self.tied),
            "remark": self.remark or None,
            "choices": [_verdict_data(verdict) for verdict in self.verdicts],
        }


def _verdict_data(verdict: Verdict) -> dict[str, Any]:
    choice = verdict.choice
    return {
        "choice": choice.name,
        "title": choice.title,
        "verdict": verdict.standing,
        "points": verdict.points,
        "planned": choice.planned is not None,
        "today": choice.today or None,
        "note": choice.note or None,
        "reasons": [
            {
                "factor": reason.factor,
                "points": int(reason.says.fit),
                "says": reason.says.text,
                "because": reason.says.because,
            }
            for reason in verdict.reasons
        ],
        "stub": None
        if choice.stub is None
        else {"imports": choice.stub.imports, "code": choice.stub.code, "argument": choice.stub.argument},
    }

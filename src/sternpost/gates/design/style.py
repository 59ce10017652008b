"""D11: the style of the API."""

from __future__ import annotations

from typing import Any

from sternpost.advice.api_style import api_style_advice
from sternpost.advice.design import SECTION, design_factors
from sternpost.advice.model import Advice
from sternpost.gates.criterion import Answer, Criterion, Finding, judged
from sternpost.gates.project import ADR, Project

SERVED = frozenset(("rest",))
"""The styles that a contract is served in."""

_WHERE = f"pyproject.toml, {SECTION}"
_DECIDED = "style under [tool.sternpost.gates]"


def _check(project: Project) -> Answer:
    factors = design_factors(project.root)
    if not any(factors.values()):
        fix = "run: sternpost advise api, and put the block that it prints into pyproject.toml"
        return judged("the description of the service", [Finding(_WHERE, "nothing describes the service", fix)])
    advice = api_style_advice(factors)
    recommended = [choice.name for choice in advice.recommended]
    findings: list[Finding] = []
    decided: Any = project.options.get("style")
    if recommended and not SERVED.intersection(recommended) and decided is None:
        titles = " or ".join(choice.title for choice in advice.recommended)
        fix = f'record why it is REST, and name the record: style = "docs/adr/…" ({_DECIDED})'
        findings.append(Finding(_WHERE, f"the advice is {titles}, and the contract is served as REST", fix))
    records = project.folder("adr", ADR)
    if decided is not None and (not (record := project.folder("style", "")).is_file() or record.parent != records):
        findings.append(Finding(_DECIDED, f"{decided} is no record in {project.shown(records)}", "name the record"))
    kept = f"; decided by {decided}" if decided is not None else ""
    return judged(f"{_told(advice)}; served as REST{kept}", findings)


def _told(advice: Advice) -> str:
    """Each style with its points, and what speaks for it or against it."""
    return "; ".join(
        f"{verdict.choice.title} {verdict.points:+} ("
        + ", ".join(f"{reason.factor}: {reason.says.text}" for reason in verdict.reasons)
        + ")"
        for verdict in advice.verdicts
    )


CRITERION = Criterion(
    "D11",
    "The style of the API was chosen with reasons",
    "REST, GraphQL and gRPC are each right for other callers. Who knows why one was chosen knows when to add another.",
    f"Describe the service under `{SECTION}` in `pyproject.toml`: `sternpost advise api` asks, and prints the block. "
    f"Where "
    'another style is chosen than is advised, record why, and name the record: `style = "docs/adr/…"` under '
    "`[tool.sternpost.gates]`.",
    _check,
)

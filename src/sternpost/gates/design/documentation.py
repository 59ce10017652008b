"""D06: what a reader of the API's documentation is told."""

from __future__ import annotations

from collections.abc import Iterator

from sternpost.gates.criterion import Answer, Criterion, Finding, counted, judged
from sternpost.gates.project import Project
from sternpost.plan.model import OperationPlan, Plan, ResourcePlan

_WORDS_MIN = 2
"""Of a summary that says more than the operation's name."""

_LETTERS_MIN = 2


def _check(project: Project) -> Answer:
    plan = project.plan
    findings = list(_of_contract(plan))
    for resource in plan.resources:
        findings += _of_resource(resource)
    return judged(
        f"{counted(len(plan.resources), 'resource')} and {counted(len(plan.operations), 'operation')}", findings
    )


def says_something(text: str) -> bool:
    """Whether there are letters or digits in it."""
    return sum(map(str.isalnum, text)) >= _LETTERS_MIN


def _of_contract(plan: Plan) -> Iterator[Finding]:
    for name in ("title", "description"):
        if not says_something(getattr(plan, name)):
            yield Finding("the contract", f"it has no {name}", f"write Contract(…, {name}=…)")


def _of_resource(resource: ResourcePlan) -> Iterator[Finding]:
    if not says_something(resource.description):
        yield Finding(f"resource {resource.name}", "it has no description", "write a docstring below its class")
    for operation in resource.operations:
        yield from _of_operation(operation)


def _of_operation(operation: OperationPlan) -> Iterator[Finding]:
    where = f"operation {operation.id}"
    if sum(map(says_something, operation.summary.split())) < _WORDS_MIN:
        yield Finding(where, f"its summary says only {operation.summary!r}", "write summary=… with what it does")
    if operation.kind == "custom" and operation.input is not None and not operation.example:
        without = [each.public_name for each in operation.input.fields if each.example is None and each.required]
        if without:
            yield Finding(
                where,
                f"its input has no example, nor have its fields {', '.join(without)}",
                "write example={…} in the operation, or field(example=…)",
            )


CRITERION = Criterion(
    "D06",
    "Resources and operations are documented, with examples",
    "The documentation is the contract that others read. What it does not say is asked, or guessed.",
    "Give the contract a title and a description, each resource a docstring, and own operations a summary "
    "and an example.",
    _check,
    diagnostics=("SP008", "SP431"),
)

"""What is measured against: the objectives that are declared, and the defaults of a production service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sternpost.plan.model import ObjectivePlan, OperationPlan, Plan, ResourcePlan

READ_MS, LIST_MS, WRITE_MS = 50.0, 200.0, 500.0
"""In which 95 of 100 calls are answered, where nothing else is declared."""

ERROR_RATE = 0.001
RATE = 20.0


@dataclass(frozen=True, slots=True)
class Goal:
    """The objective of one operation, whole.

    Attributes:
        p95_ms, p99_ms: milliseconds.
        error_rate: the share of calls that may fail by the service's own fault.
        rate: calls a second.
    """

    operation: str
    p95_ms: float
    p99_ms: float
    error_rate: float
    rate: float


def goal_of(operation: OperationPlan) -> Goal:
    """The objective of an operation, with the defaults for its kind."""
    declared = operation.objective or ObjectivePlan()
    p95 = declared.p95_ms or _default_ms(operation)
    p99 = declared.p99_ms or 2 * p95
    rate = ERROR_RATE if declared.error_rate is None else declared.error_rate
    return Goal(operation.id, p95, p99, rate, declared.rate or RATE)


def critical_paths(plan: Plan, named: Sequence[str] = ()) -> list[tuple[ResourcePlan, OperationPlan]]:
    """The operations to measure: those that are named, else those that the contract marks as critical, else all."""
    every = list(plan.operations.values())
    if named:
        return [pair for pair in every if pair[1].id in named]
    return [pair for pair in every if pair[1].critical] or every


def _default_ms(operation: OperationPlan) -> float:
    if operation.method != "GET":
        return WRITE_MS
    return LIST_MS if operation.kind == "browse" or operation.output_form != "one" else READ_MS

"""Lines that say who did what: of calls that are denied, whatever the operation, and of every call of operations that
are declared with `audited=True`.

Every protocol's calls, and the steps of batches, come here: `execute` tells the end of a call.
"""

from __future__ import annotations

from collections.abc import Iterator

from sternpost.deadline import CallerLeft
from sternpost.errors import Forbidden, InvalidCredentials, NotFound, SternpostError, TenantRequired
from sternpost.pipeline.call import Answer, Call
from sternpost.pipeline.operations import HIDDEN, Execution
from sternpost.pipeline.runtime import BoundOperation
from sternpost.telemetry.events import AccessDenied, AuditedCall, Denial
from sternpost.telemetry.observation import Observation

ROW_CHARACTERS_MAX = 100
"""Of an id as a caller has sent it."""


def tell_succeeded(run: Execution, answer: Answer) -> None:
    """The lines of a call of an audited operation, or of a batch that may have such steps, that did what it is for."""
    outcome = "replayed" if run.observation.replayed else "done"
    if run.operation.plan.kind != "batch":
        _tell(run, run.operation, run.row_id or run.call.id or _row_of(answer), outcome)
        return
    for result in answer.results:
        operation = run.runtime.operations[result.step.operation]
        if operation.audited:
            _tell(run, operation, result.row_id or _row_of(result.answer), outcome)


def tell_failed(
    operation: BoundOperation, call: Call, observation: Observation, run: Execution | None, error: BaseException
) -> None:
    """The lines of a call that ends with an error.

    Args:
        run: None where it ended before it was known who calls.
    """
    reason = denial(error)
    if reason is not None:
        _tell_denied(operation, call, observation, run, error, reason)
    elif operation.audited:
        for each, row in _attempted(operation, call, run):
            observation.tell(
                AuditedCall(
                    operation=each.plan.id,
                    row=_shortened(row),
                    outcome=_outcome(error),
                    privileged=run is not None and each.access(run.principal).privileged,
                    tenant=run.principal.tenant if run is not None and run.principal is not None else None,
                    address=call.address,
                )
            )


def denial(error: BaseException) -> Denial | None:
    """Why a call was denied; None where it ended otherwise. Who sends no credentials at all is asked for them, and not
    denied anything."""
    match error:
        case InvalidCredentials():
            return "credentials"
        case TenantRequired():
            return "tenant"
        case Forbidden():
            return "forbidden"
        case NotFound() if HIDDEN in error.log:
            return "hidden"
        case _:
            return None


def _tell_denied(
    operation: BoundOperation,
    call: Call,
    observation: Observation,
    run: Execution | None,
    error: BaseException,
    reason: Denial,
) -> None:
    of_step = error.step if isinstance(error, SternpostError) else None
    name, row = of_step or (operation.plan.id, call.id)
    principal = None if run is None else run.principal
    observation.tell(
        AccessDenied(
            operation=name,
            row=_shortened(row),
            reason=reason,
            tenant=None if principal is None else principal.tenant,
            address=call.address,
        )
    )


def _attempted(
    operation: BoundOperation, call: Call, run: Execution | None
) -> Iterator[tuple[BoundOperation, str | None]]:
    """What a call that failed was about: of a batch each audited step, because none of them is done."""
    if operation.plan.kind != "batch":
        yield operation, call.id
    elif run is not None:
        for step in run.steps:
            found = run.runtime.operations.get(step.operation)
            if found is not None and found.audited:
                yield found, step.id if isinstance(step.id, str) else None


def _outcome(error: BaseException) -> str:
    if isinstance(error, SternpostError):
        return error.code
    if isinstance(error, CallerLeft):
        return "LEFT"
    return "INTERNAL_ERROR" if isinstance(error, Exception) else "CANCELLED"


def _tell(run: Execution, operation: BoundOperation, row: str | None, outcome: str) -> None:
    run.observation.tell(
        AuditedCall(
            operation=operation.plan.id,
            row=_shortened(row),
            outcome=outcome,
            privileged=operation.access(run.principal).privileged,
            tenant=None if run.principal is None else run.principal.tenant,
            address=run.call.address,
        )
    )


def _row_of(answer: Answer) -> str | None:
    """The id of the row that an answer is."""
    found = None if answer.document is None else answer.document.get("id")
    return found if isinstance(found, str) else None


def _shortened(row: str | None) -> str | None:
    return row if row is None or len(row) <= ROW_CHARACTERS_MAX else row[:ROW_CHARACTERS_MAX] + "…"

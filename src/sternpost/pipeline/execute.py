"""The whole way of a call, on one screen. Every protocol comes through here."""

from __future__ import annotations

import asyncio

from sternpost.errors import (
    PreconditionFailed,
    PreconditionRequired,
    SternpostError,
    TenantRequired,
    Timeout,
    Unauthenticated,
)
from sternpost.pipeline.call import ANY, Answer, Call
from sternpost.pipeline.operations import HANDLERS, Execution
from sternpost.pipeline.runtime import BoundOperation, Runtime
from sternpost.plan.model import ResourcePlan
from sternpost.plan.values import tenant_value
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Session, Statistics
from sternpost.telemetry.observation import Observation


async def execute(runtime: Runtime, call: Call, observation: Observation, session: Session | None = None) -> Answer:
    """Carries a call out. What is raised is a `SternpostError`, or a bug.

    The order is fixed and the same for every protocol: limits by address come first and limits by principal after
    authentication; the transaction, with its idempotency claim and its outbox rows, is opened by the operation.
    With `session` the call is part of a transaction that is open already.
    """
    operation = runtime.operations[call.operation]
    observation.operation, observation.success_message = operation.plan.id, operation.plan.success_message

    principal = await authenticate(runtime, operation, call)
    observation.user_id = principal.subject if principal else None

    if operation.tenanted is not None:
        require_tenant(runtime, operation.tenanted, principal)
    if call.refused is not None:
        raise call.refused

    values = operation.input.parse(call.body) if operation.input is not None else {}
    access = operation.access(principal)
    selection = operation.selector.select(call.parameters, principal, access.selections)

    if call.precondition is not None or operation.plan.require_match:
        check_precondition(operation, call)

    statistics = Statistics()
    run = Execution(
        runtime,
        operation,
        call,
        principal,
        access,
        values,
        selection,
        statistics,
        observation,
        session,
        runtime.visibility(principal),
    )
    try:
        if operation.plan.timeout_seconds is None:
            answer = await HANDLERS[operation.plan.kind](run)
        else:
            async with asyncio.timeout(operation.plan.timeout_seconds):
                answer = await HANDLERS[operation.plan.kind](run)
        if runtime.translation is not None and operation.plan.output is None:
            runtime.translation.answer(operation.resource.name, answer)
        return answer
    except SternpostError as error:
        if runtime.translation is not None:
            runtime.translation.error(operation.resource.name, error)
        raise
    except TimeoutError as error:
        raise Timeout(log={"timeoutSeconds": operation.plan.timeout_seconds}) from error
    finally:
        observation.statements += statistics.statements


def require_tenant(runtime: Runtime, resource: ResourcePlan, principal: Principal | None) -> None:
    """Raises `Unauthenticated` or `TenantRequired` unless the caller acts for what can be a tenant of the resource."""
    if principal is None:
        raise Unauthenticated
    if tenant_value(runtime.newest, resource, principal.tenant) is None:
        raise TenantRequired


def check_precondition(operation: BoundOperation, call: Call) -> None:
    """What can be said of a precondition before the row is read.

    Raises:
        PreconditionRequired: there is none, and the operation needs one.
        PreconditionFailed: it is about a row, and the operation is on none.
    """
    precondition = call.precondition
    if operation.plan.require_match and (precondition is None or precondition.match is None):
        raise PreconditionRequired
    if precondition is not None and precondition.match not in (None, ANY) and not operation.plan.on_item:
        raise PreconditionFailed("This operation is on no single resource, so it has no version")


async def authenticate(runtime: Runtime, operation: BoundOperation, call: Call) -> Principal | None:
    """Who calls. Credentials that are sent must be valid, on open operations too."""
    if call.credentials is not None:
        return await runtime.authenticator.authenticate(call.credentials)
    if operation.needs_caller:
        raise Unauthenticated
    return None

"""Whether a caller may carry out an operation: the policy asked for others, such as mounted applications."""

from __future__ import annotations

from sternpost.deadline import Deadline
from sternpost.errors import Forbidden, NotFound, TenantRequired, Unauthenticated
from sternpost.ids import random_hex
from sternpost.pipeline.authorize import ALLOW
from sternpost.pipeline.call import Call
from sternpost.pipeline.execute import reader_of, require_tenant
from sternpost.pipeline.operations import Execution, load_row
from sternpost.pipeline.runtime import BoundOperation, Runtime
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Statistics
from sternpost.telemetry.observation import Observation, Unobserved


async def allows(runtime: Runtime, principal: Principal | None, operation_id: str, row: str | None) -> bool:
    """As `Sternpost.allows`."""
    operation = runtime.operations.get(operation_id)
    if operation is None or operation.plan.kind == "batch":
        raise ValueError(f"There is no operation {operation_id!r}")
    if operation.plan.on_item and row is None:
        raise ValueError(f"{operation_id} is about one row: give its id")
    if principal is None and operation.needs_caller:
        return False
    with Deadline(operation.seconds, runtime.alarms) as deadline:
        run = Execution(
            runtime,
            operation,
            Call(operation_id, id=row),
            principal,
            operation.access(principal),
            runtime.visibility(principal),
            Observation(Unobserved(), "", random_hex(64)[:32], "", None, 0.0),
            Statistics(),
            deadline,
        )
        try:
            if operation.tenanted is not None:
                require_tenant(runtime, operation.tenanted, principal)
            return not run.access.refused and await _row_allowed(run, operation)
        except (NotFound, Forbidden, Unauthenticated, TenantRequired):
            return False


async def _row_allowed(run: Execution, operation: BoundOperation) -> bool:
    if operation.plan.on_item:
        reader = reader_of(run)
        await load_row(run, reader.with_deleted() if operation.plan.kind == "restore" else reader)
        return True
    if run.policy is ALLOW or operation.plan.kind == "browse":  # a list holds the rows that the policy allows
        return True
    if operation.plan.kind == "create":
        raise ValueError(f"The policy of {operation.plan.id} looks at the values of the new row")
    return operation.check.allows(run.policy, {}, run.asking)

"""Executes a call, for every protocol: all steps of a request in order."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from typing import cast

from sternpost.data.backoff import RETRIES
from sternpost.deadline import Deadline
from sternpost.errors import (
    Gone,
    LockTimeout,
    PreconditionFailed,
    PreconditionRequired,
    SternpostError,
    StillReferenced,
    TenantRequired,
    Timeout,
    Unauthenticated,
    WriteConflict,
)
from sternpost.pipeline.batch import Results, check_steps, locate, to_call
from sternpost.pipeline.call import ANY, Answer, Call, Result
from sternpost.pipeline.ending import Ending
from sternpost.pipeline.hooked import after_commit, around, run_each
from sternpost.pipeline.operations import CHANGES, READS, Execution, denied, fill_in_caller, insert
from sternpost.pipeline.referrers import referrers
from sternpost.pipeline.runtime import BoundOperation, Runtime
from sternpost.plan.model import ResourcePlan
from sternpost.plan.values import tenant_value
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Origin, Reader, Session, Statistics
from sternpost.telemetry.observation import Observation


async def execute(runtime: Runtime, call: Call, observation: Observation) -> Answer:
    """Executes a call. Every exception other than a `SternpostError` is a bug.

    The order is fixed and the same for every protocol: limit by address, authenticate, limit by principal, validate,
    authorize, read or write. Nothing of a request is looked at, and nothing opened, before it is known who calls.
    """
    operation = runtime.operations[call.operation]
    observation.operation, observation.success_message = operation.plan.id, operation.plan.success_message

    require_served(runtime)
    run: Execution | None = None
    try:
        with Deadline(seconds_of(operation, call), runtime.alarms) as deadline:
            if operation.reads and call.on_leave is not None:
                call.on_leave(deadline.leave)
            # Place of the limits by address (`call.address`): one check for None on an operation that declares none.
            principal = await authenticate(runtime, operation, call)
            observation.user_id = principal.subject if principal else None

            visibility, statistics = runtime.visibility(principal), Statistics()
            run = Execution(
                runtime,
                operation,
                call,
                principal,
                operation.access(principal),
                visibility,
                observation,
                statistics,
                deadline,
            )
            try:
                answer = await carry_out(run)
            finally:
                observation.statements += statistics.statements
    except BaseException:  # a cancellation, too
        if run is not None and run.left is not None:
            await run.left.close(observation)
        raise
    if run.left is not None:  # behind the time limit: from a commit on it ends nothing any more
        await conclude(run.left, observation)
    return answer


async def conclude(left: Ending, observation: Observation) -> None:
    """What is left to do of a call that succeeded."""
    try:
        await left.committed(observation)
    finally:
        await left.close(observation)


async def carry_out(run: Execution, session: Session | Reader | None = None) -> Answer:
    """The rest of the way, once it is known who calls; with `session` as a step of the batch whose
    transaction it is, or of one that only reads and has none."""
    # Place of the limits by principal: a step of a batch counts as the operation that it is.
    operation = run.operation
    hooks = operation.hooks
    if hooks is not None:
        await run_each(run, hooks.after_authentication)
    validate(run)
    if run.access.refused:
        raise denied(run)
    if hooks is not None:
        run.valid = True
        await run_each(run, hooks.after_validation)
    try:
        if session is not None:
            return await step(run, session)
        if operation.reads:
            answer = await read(run, None)
            if operation.translation is not None:
                answer = translated(run, answer)
            if hooks is not None:
                await run_each(run, hooks.before_encoding, answer)
            return answer
        if run.joins_others:
            return translated(run, await insert(run))
        if run.only_reads:
            return await batch(run, reader_of(run))
        return await write(run, None)
    except SternpostError as error:
        if operation.translation is not None:
            operation.translation.error(operation.resource.name, error)
        raise
    except TimeoutError as error:  # something that the operation waited for itself
        raise Timeout(log={"timeoutSeconds": run.deadline.seconds}) from error


async def step(run: Execution, session: Session | Reader) -> Answer:
    """A step of a batch, whose own limit holds, too."""
    with Deadline(run.operation.plan.timeout_seconds, run.runtime.alarms):
        if not run.operation.reads:
            return await write(run, cast("Session", session))
        answer = translated(run, await read(run, session))
        count(run, answer)
        if run.operation.hooks is not None:
            await run_each(run, run.operation.hooks.before_encoding, answer)
        return answer


def read(run: Execution, session: Reader | None) -> Awaitable[Answer]:
    """What changes nothing: without a transaction, or in that of its batch."""
    # Place of the cache: what is known is answered from here, and what was read is kept.
    operation = run.operation
    handler, reader = READS[operation.plan.kind], session or reader_of(run)
    return handler(run, reader) if operation.hooks is None else around(run, operation.hooks, handler, reader)


def reader_of(run: Execution) -> Reader:
    """Reads outside a transaction."""
    return run.runtime.storage.reader(run.statistics, visibility=run.visibility)


async def write(run: Execution, session: Session | None) -> Answer:
    """A change. Only here is a transaction opened for a call; it is committed before the call is answered."""
    if session is None:
        return await in_transaction(run)
    # Place of the idempotency claim (`call.idempotency_key`), a row of this transaction: where it is there already, the
    # stored answer is the answer (a replay), and the handler is not called. Behind the handler is the place of what
    # becomes visible with the change: its answer for a replay, and outbox rows. A new row that shares a statement with
    # others (`insert`) brings both to the group.
    if run.runtime.newest.walked:
        session.next_step()
    if run.runtime.newest.audited and not run.steps:
        await session.attribute(Origin(run.subject, run.operation.plan.id, run.observation.request_id))
    handler, hooks = WRITES[run.operation.plan.kind], run.operation.hooks
    answer = translated(run, await (handler(run, session) if hooks is None else around(run, hooks, handler, session)))
    count(run, answer)
    if hooks is not None:
        await run_each(run, hooks.before_encoding, answer)
        after_commit(run, hooks, answer)
    return answer


def count(run: Execution, answer: Answer) -> None:
    """Counts a document of a change, or of a step: what cannot be answered is not committed. Others are counted as they
    come about."""
    if answer.document is not None and run.operation.plan.gives_own_row:
        run.budget.take(answer.document)


def translated(run: Execution, answer: Answer) -> Answer:
    """The answer in the words of the caller's version; of a change, before it is committed: a conversion may fail.

    The group of an `insert` commits by itself. An operation whose answer has a conversion does not join one (see
    `BoundOperation.writes_one_row`), so that what is translated behind it cannot fail.
    """
    if run.operation.translation is not None and run.operation.plan.output is None:
        named = run.operation.plan.output_rows or run.operation.resource.name
        run.operation.translation.answer(named, answer)
    return answer


async def in_transaction(run: Execution) -> Answer:
    """A change in a transaction of its own: again from its start where the database gave it up in favour of another one
    (a deadlock, a serialization failure), and nothing of it can have happened outside the database.

    Raises:
        WriteConflict: it may not be tried again, or has been tried too often.
    """
    exchange = run.call.exchange
    added = None if exchange is None else exchange.response.saved()
    for number in range(RETRIES + 1):
        try:
            async with run.runtime.storage.transaction(
                run.statistics, visibility=run.visibility, deadline=run.deadline
            ) as session:
                return await write(run, session)
        except StillReferenced as error:
            await tell_referrers(run, error)
            raise
        except LockTimeout:
            raise
        except WriteConflict:
            steps = (run.runtime.operations[step.operation] for step in run.steps)
            if number == RETRIES or not all(operation.tried_again for operation in (run.operation, *steps)):
                raise
        run.deadline.again()
        if run.left is not None:
            await run.left.again(run.observation)
        if exchange is not None and added is not None:
            exchange.response.restore(added)
        await run.runtime.backoff.wait(number)
        start_again(run)
    raise AssertionError("the last try returns or raises")


async def tell_referrers(run: Execution, error: StillReferenced) -> None:
    """Adds to the error what keeps the row, as far as the caller may know of it; nothing where the deletion was not the
    operation's own."""
    if error.row is None:
        return
    found = await referrers(run.runtime.plan, *error.row, reader_of(run), run.principal, run.asking)
    if found:
        at = error.details[0].path if error.details else ""  # in a batch: the step
        error.details = tuple(replace(detail, path=at) for detail in found)


def start_again(run: Execution) -> None:
    """Takes back what a try has left behind: it may have completed the input, and has used up what the answer may hold.
    What both cost (the statistics) stays counted."""
    run.shared_budget = None
    validate(run)


async def batch(run: Execution, session: Session | Reader) -> Answer:
    """The steps in order, each on the same way as a call that comes alone. The first that fails ends them all."""
    results: list[Result] = []
    earlier = Results()
    for index, step in enumerate(run.steps):
        operation = run.runtime.operations[step.operation]
        try:
            call = to_call(step, earlier)
            call.exchange = run.call.exchange
            answer = await carry_out(run.of(operation, call), session)
        except SternpostError as error:
            locate(error, index)
            raise
        results.append(Result(step, operation.plan.status, answer))
        await asyncio.sleep(0)  # other calls get their turn also where no step has to wait for the database
        if step.name is not None:
            earlier.add(step.name, answer.documents if answer.documents is not None else answer.document)
    return Answer(results=results)


WRITES = {**CHANGES, "batch": batch}


# -- the stages


def seconds_of(operation: BoundOperation, call: Call) -> float | None:
    """How long a call may take: as long as its operation may, or less where the client does not wait so long. An export
    is read in parts, each with a limit of its own."""
    declared, waited = None if call.export else operation.seconds, call.deadline_seconds
    return declared if waited is None else waited if declared is None else min(declared, waited)


def require_served(runtime: Runtime) -> None:
    """Raises `Gone` where this version of the API is no longer served."""
    if runtime.gone_at is not None and runtime.clock.now() >= runtime.gone_at:
        raise Gone(f"Version {runtime.plan.api_version} of this API is no longer served")


async def authenticate(runtime: Runtime, operation: BoundOperation, call: Call) -> Principal | None:
    """The caller. Credentials that are sent must be valid, also for public operations."""
    if call.credentials is not None:
        return await runtime.authenticator.authenticate(call.credentials)
    if operation.needs_caller:
        raise Unauthenticated
    return None


def validate(run: Execution) -> None:
    """Everything that can be said of a call before a row is read.

    Raises:
        Invalid, Unprocessable: with every problem of the input, or of the parameters.
        TenantRequired, PreconditionRequired, PreconditionFailed: as `require_tenant` and `check_precondition`.
    """
    operation, call = run.operation, run.call
    if operation.tenanted is not None:
        require_tenant(run.runtime, operation.tenanted, run.principal)
    if call.refused is not None:
        raise call.refused
    if operation.input is not None:
        run.values, run.withheld = operation.input.parse(call.body, run.scopes)
    run.selection = operation.selector.select(call.query, run.principal, run.access.selections)
    if call.precondition is not None or operation.plan.require_match:
        check_precondition(operation, call)
    if operation.caller_defaults:
        fill_in_caller(run)
    if call.steps is not None:
        run.steps = call.steps()
        check_steps(run.runtime.operations, run.steps, run.runtime.plan.batch_max, run.principal)


def require_tenant(runtime: Runtime, resource: ResourcePlan, principal: Principal | None) -> None:
    """Raises `Unauthenticated` or `TenantRequired` unless the caller acts for what can be a tenant of the resource."""
    if principal is None:
        raise Unauthenticated
    if tenant_value(runtime.newest, resource, principal.tenant) is None:
        raise TenantRequired


def check_precondition(operation: BoundOperation, call: Call) -> None:
    """Checks what a precondition requires before the row is read.

    Raises:
        PreconditionRequired: there is none, and the operation needs one.
        PreconditionFailed: it names versions of a row, but the operation does not act on a single row.
    """
    precondition = call.precondition
    if operation.plan.require_match and (precondition is None or precondition.match is None):
        raise PreconditionRequired
    if precondition is not None and precondition.match not in (None, ANY) and not operation.plan.on_item:
        raise PreconditionFailed("This operation does not act on a single resource, so If-Match can only be *")

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
    IdempotencyKeyReused,
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
from sternpost.pipeline.audit import tell_failed, tell_succeeded
from sternpost.pipeline.batch import Results, check_steps, locate, to_call
from sternpost.pipeline.call import ANY, Answer, Call, Result
from sternpost.pipeline.ending import Ending
from sternpost.pipeline.hooked import after_commit, around, run_each
from sternpost.pipeline.idempotency import Claim, key_of, once
from sternpost.pipeline.keys import Keys
from sternpost.pipeline.operations import CHANGES, READS, Execution, denied, fill_in_caller, insert
from sternpost.pipeline.referrers import referrers
from sternpost.pipeline.runtime import BoundOperation, Runtime
from sternpost.pipeline.step_limits import count_valid
from sternpost.plan.model import ResourcePlan
from sternpost.plan.values import tenant_value
from sternpost.ports.authenticator import Principal
from sternpost.ports.storage import Origin, Reader, Session, Statistics
from sternpost.telemetry.observation import Observation, Tracing


def execute(runtime: Runtime, call: Call, observation: Observation) -> Awaitable[Answer]:
    """Executes a call. Every exception other than a `SternpostError` is a bug."""
    operation = runtime.operations[call.operation]
    if observation.tracing is not None and operation.runs_own_code:
        return within_span(runtime, operation, call, observation, observation.tracing)
    return go_through(runtime, operation, call, observation)


async def within_span(
    runtime: Runtime, operation: BoundOperation, call: Call, observation: Observation, tracing: Tracing
) -> Answer:
    """The same where the author's code runs, which may ask for the span of the call, or begin others below it."""
    with tracing.entered(observation):
        return await go_through(runtime, operation, call, observation)


async def go_through(runtime: Runtime, operation: BoundOperation, call: Call, observation: Observation) -> Answer:
    """All steps of a call.

    The order is fixed and the same for every protocol: limit by address, authenticate, limit by caller, validate,
    authorize, limit by input, read or write. Nothing of a request is looked at, and nothing opened, before it is known
    who calls.
    """
    observation.operation, observation.success_message = operation.plan.id, operation.plan.success_message

    require_served(runtime)
    run: Execution | None = None
    try:
        with Deadline(seconds_of(operation, call), runtime.alarms) as deadline:
            if operation.reads and call.on_leave is not None:
                call.on_leave(deadline.leave)
            if operation.limits is not None and operation.limits.at_arrival:
                counting = operation.limits.arrives(call, observation, deadline)
                if counting is not None:
                    await counting
            principal = await authenticate(runtime, operation, call)
            observation.user_id = principal.subject if principal else None

            visibility, statistics = runtime.visibility(principal), Statistics(0, observation.timings)
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
    except BaseException as error:  # a cancellation, too
        tell_failed(operation, call, observation, run, error)
        if run is not None and run.left is not None:
            await run.left.close(observation)
        raise
    if operation.audited:
        tell_succeeded(run, answer)
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
    operation = run.operation
    hooks, limits = operation.hooks, operation.limits if session is None else None  # a batch has counted its steps
    if limits is not None and limits.at_known:
        counting = limits.is_known(run)
        if counting is not None:
            await counting
    if hooks is not None:
        await run_each(run, hooks.after_authentication)
    if run.call.idempotency_key is not None and session is None and operation.keys_first and may_look_up(run):
        keys = run.runtime.keys
        if keys is not None:
            return await look_up_first(run, keys, run.call.idempotency_key)
    validate(run)
    if run.access.refused:
        raise denied(run)
    if limits is not None and (limits.at_valid or run.steps):
        await count_valid(run, limits)
    run.valid = True
    if hooks is not None:
        await run_each(run, hooks.after_validation)
    if (
        session is None
        and not operation.reads
        and (run.call.idempotency_key is not None or operation.needs_key)
        and not run.only_reads  # a batch that changes nothing has nothing to make once
    ):
        key, keys = key_of(run), run.runtime.keys
        if key is not None and keys is not None:
            return await once(run, keys, key, act)
    return await act(run, None, session)


def may_look_up(run: Execution) -> bool:
    """Whether an answer that is kept may be given before the input is validated: the very same bytes were valid then.
    What has to be told of the call whatever is kept goes the long way."""
    return not run.access.refused and run.call.refused is None


async def look_up_first(run: Execution, keys: Keys, key: str) -> Answer:
    """A replay, or the change. Of a call that is invalid and brings another call's key, it is told that it is
    invalid, as on the long way."""
    try:
        return await once(run, keys, key, validate_and_act)
    except IdempotencyKeyReused:
        if not run.valid:
            validate(run)
        raise


async def validate_and_act(run: Execution, claim: Claim) -> Answer:
    """A change whose key nobody has used. What is wrong with its input is not kept."""
    if not run.valid:
        try:
            validate(run)
        except SternpostError as error:
            error.is_of_request = True
            raise
        run.valid = True
    return await act(run, claim)


async def act(run: Execution, claim: Claim | None, session: Session | Reader | None = None) -> Answer:
    """What a call is for, with its errors as callers are told them.

    Args:
        claim: on its idempotency key: the stage that makes a change once keeps errors, too.
        session: that of its batch.
    """
    operation = run.operation
    try:
        if session is not None:
            return await step(run, session)
        if operation.reads:
            answer = await read(run, None)
            if operation.translation is not None:
                answer = translated(run, answer)
            if operation.hooks is not None:
                await run_each(run, operation.hooks.before_encoding, answer)
            return answer
        if claim is not None:
            if claim.tries:
                start_again(run)
            return await in_transaction(run, claim)
        if run.joins_others:
            return translated(run, await insert(run))
        if run.only_reads:
            return await batch(run, reader_of(run))
        return await write(run, None)
    except SternpostError as error:
        translate_error(run, error)
        raise
    except TimeoutError as error:  # something that the operation waited for itself
        raise Timeout(log={"timeoutSeconds": run.deadline.seconds}) from error


def translate_error(run: Execution, error: SternpostError) -> None:
    """Puts an error into the words of the caller's version."""
    if run.operation.translation is not None:
        run.operation.translation.error(run.operation.resource.name, error)


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
    if run.runtime.newest.walked:
        session.next_step()
    if run.runtime.newest.audited and not run.steps:
        await session.attribute(Origin(run.subject, run.operation.plan.id, run.observation.request_id))
    handler, hooks = WRITES[run.operation.plan.kind], run.operation.hooks
    answer = translated(run, await (handler(run, session) if hooks is None else around(run, hooks, handler, session)))
    if run.operation.emits is not None:
        await session.emit(run.told(run.operation.emits, run.row_id or run.call.id))
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


async def in_transaction(run: Execution, claim: Claim | None = None) -> Answer:
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
                if claim is None:
                    return await write(run, session)
                await claim.take(session)
                answer = await write(run, session)
                await claim.keep(session, run, answer)
                return answer
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
        part: Execution | None = None
        try:
            call = to_call(step, earlier)
            call.exchange = run.call.exchange
            part = run.of(operation, call)
            answer = await carry_out(part, session)
        except SternpostError as error:
            locate(error, index)
            error.step = operation.plan.id, part.call.id if part is not None else None
            error.is_of_request = part is None or not part.valid
            raise
        results.append(Result(step, operation.plan.status, answer, part.row_id or call.id))
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

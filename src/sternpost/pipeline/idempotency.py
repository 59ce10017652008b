"""Idempotency keys: a change that comes again with its key is answered as it was the first time, and made once.

The answer is kept in the transaction of the change, so that there is either both or neither. Whoever comes while the
first is being carried out waits for it, and holds nothing meanwhile: within a process a future, across processes a read
now and then. After draft-ietf-httpapi-idempotency-key-header and Stripe's API; that the second waits is Restate's way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sternpost.errors import (
    Detail,
    IdempotencyKeyInUse,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
    Invalid,
    SternpostError,
    WriteConflict,
)
from sternpost.pipeline.call import Answer
from sternpost.pipeline.kept_answers import kept_answer, kept_error, replayed
from sternpost.pipeline.keys import Depends, Keys, Waiter, key_id, request_hash
from sternpost.pipeline.operations import Execution
from sternpost.ports.idempotency import KeptAnswer
from sternpost.ports.storage import Session

PAUSE_SECONDS = 0.05
PAUSE_SECONDS_MAX = 0.25
"""How long is waited between two looks at what another process does: longer each time, up to this."""

MARGIN_SECONDS = 0.1
"""How long before the end of its own time a call stops to wait, so that it can still say why."""

RETRY_AFTER_SECONDS = 1

_NOT_KEPT = frozenset({401, 408, 425, 428, 429})
"""Statuses that say nothing of the change: of who calls, or of how often."""

_NO_KEYS = "This service keeps no keys, because no table is added to its database: send the request without one"


class Elsewhere(Exception):
    """Ends a transaction: another call has the key. It never leaves this stage."""


@dataclass(slots=True)
class Claim:
    """A call's hold on its key.

    Attributes:
        found: the answer of another call, where there is one.
        pending: the call's own, in a transaction that has not ended.
        kept: the same once it is committed.
        tries: how often it has got hold of the key.
        until: until when it waits for another call, by the clock of the event loop; None before it has to.
    """

    keys: Keys
    id: bytes
    request: bytes
    found: KeptAnswer | None = None
    pending: KeptAnswer | None = None
    kept: KeptAnswer | None = None
    tries: int = 0
    until: float | None = None

    async def take(self, session: Session) -> None:
        """Takes the key until the end of a transaction, before anything else is done in it. Raises `Elsewhere` where
        another call has it, or had it."""
        claimed = await self.keys.store.claim(session, self.id, self.keys.clock.now())
        if isinstance(claimed, KeptAnswer):
            self.found = claimed
        if claimed is not True:
            raise Elsewhere
        self.tries += 1

    async def keep(self, session: Session, run: Execution, answer: Answer) -> None:
        """Keeps the answer with the change, as the last thing before the commit."""
        await self._keep(session, kept_answer(self.request, run, answer))

    async def keep_error(self, session: Session, error: SternpostError) -> None:
        """Keeps what has refused the change, once that is undone."""
        await self._keep(session, kept_error(self.request, error))

    async def _keep(self, session: Session, kept: KeptAnswer) -> None:
        """Raises `Elsewhere` where an answer is kept by now. Whoever has the lock of the key is never told that; it is
        the last word where two ids share a lock, or a lock was lost."""
        now = self.keys.clock.now()
        if not await self.keys.store.keep(session, self.id, kept, now=now, expires_at=now + self.keys.kept_for):
            raise Elsewhere
        self.pending = kept


CarryOut = Callable[[Execution, Claim], Awaitable[Answer]]
"""Makes the change in a transaction, which begins with `Claim.take` and ends with `Claim.keep`."""


def key_of(run: Execution) -> str | None:
    """The key of a change; None where it has none that matters.

    Raises:
        IdempotencyKeyRequired: there is none, and the operation, or a step of the batch, asks for it.
        Invalid: there is one, and the service keeps none.
    """
    runtime, key = run.runtime, run.call.idempotency_key
    if key is None:
        asking = (run.operation, *(runtime.operations[step.operation] for step in run.steps))
        if any(each.plan.idempotency == "required" for each in asking):
            raise IdempotencyKeyRequired
        return None
    if runtime.keys is None and not runtime.newest.only_reads:
        raise Invalid("Invalid headers", details=[Detail("Idempotency-Key", "not_supported", _NO_KEYS)])
    return key if runtime.keys is not None else None  # where nothing is ever changed, a key makes no difference


async def once(run: Execution, keys: Keys, key: str, carry_out: CarryOut) -> Answer:
    """The answer of a call: its own, or that which is kept with its key.

    Raises:
        IdempotencyKeyReused: the key came with another request.
        IdempotencyKeyInUse: another call with the key did not end in time.
        SternpostError: what the change was refused with, now or the first time.
    """
    operation, request = run.operation, request_hash(run.call)
    claim = Claim(keys, key_id(operation.key_seed, _depends(run), run.principal, key, request), request)
    while (waiting := keys.running.get(claim.id)) is not None:
        kept = await _outcome(run, claim, waiting)
        if kept is not None:
            return _replay(run, claim, kept)
    waiting = keys.running[claim.id] = []
    try:
        return await _alone(run, claim, carry_out)
    finally:
        del keys.running[claim.id]
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(claim.found or claim.kept)


def _depends(run: Execution) -> Depends:
    """What of the caller the answer depends on: of a batch, what its steps do. One that reads, too, may show of any
    resource what the caller may read."""
    if not run.steps:
        return run.operation.depends
    steps = [run.runtime.operations[step.operation] for step in run.steps]
    if any(step.reads for step in steps):
        return run.operation.depends
    return Depends.together(step.depends for step in steps)


async def _alone(run: Execution, claim: Claim, carry_out: CarryOut) -> Answer:
    """The answer for the one call with the key that is at work in this process."""
    looks, exchange = 0, run.call.exchange
    added = None if exchange is None else exchange.response.saved()
    while True:
        run.statistics.statements += 1
        asked, timings = claim.keys.store.find(claim.id, claim.keys.clock.now()), run.statistics.timings
        claim.found = await (asked if timings is None else timings.of("idempotency", "database", "find", asked))
        if claim.found is None:
            try:
                return await _carried_out(run, claim, carry_out)
            except Elsewhere:
                if run.left is not None:  # what a function wanted to be done after a commit that did not come
                    await run.left.again(run.observation)
                if exchange is not None and added is not None:
                    exchange.response.restore(added)
        if claim.found is not None:
            return _replay(run, claim, claim.found)
        await _pause(run, claim, looks)
        looks += 1


async def _carried_out(run: Execution, claim: Claim, carry_out: CarryOut) -> Answer:
    """The answer of the change itself. What it is refused with is kept, too, where it says something of the change."""
    try:
        answer = await carry_out(run, claim)
    except SternpostError as error:
        if is_kept(error):
            await _keep_error(run, claim, error)
        raise
    claim.kept = claim.pending
    claim.keys.count("carried_out")
    return answer


async def _keep_error(run: Execution, claim: Claim, error: SternpostError) -> None:
    """Keeps an error in a transaction of its own, under the same lock: that of the change has been rolled back."""
    run.deadline.again()
    storage = run.runtime.storage
    async with storage.transaction(run.statistics, visibility=run.visibility, deadline=run.deadline) as session:
        await claim.take(session)
        await claim.keep_error(session, error)
    claim.kept = claim.pending
    claim.keys.count("carried_out")


def is_kept(error: SternpostError) -> bool:
    """Whether an error is the answer to the change itself, and would be again: not one of the input, of who calls, of a
    limit, of the server, or of other calls that were in the way."""
    status = error.http_status
    is_of_request = error.is_of_request or isinstance(error, Invalid | WriteConflict)
    return 400 <= status < 500 and status not in _NOT_KEPT and not is_of_request


def _replay(run: Execution, claim: Claim, kept: KeptAnswer) -> Answer:
    if kept.request != claim.request:
        claim.keys.count("reused")
        raise IdempotencyKeyReused
    run.observation.replayed = True
    claim.keys.count("replayed")
    return replayed(kept, run.call.exchange)


def _time_left(run: Execution, claim: Claim) -> float:
    """For how many seconds the call may wait for another one."""
    now = asyncio.get_running_loop().time()
    if claim.until is None:
        claim.keys.count("waited")
        until = now + claim.keys.wait_seconds
        claim.until = until if run.deadline.seconds is None else min(until, run.deadline.at - MARGIN_SECONDS)
    return claim.until - now


async def _outcome(run: Execution, claim: Claim, waiting: list[Waiter]) -> KeptAnswer | None:
    """What came of another call. Raises `IdempotencyKeyInUse` where that is not known in time."""
    waiter: Waiter = asyncio.get_running_loop().create_future()
    waiting.append(waiter)
    if (left := _time_left(run, claim)) > 0:
        await asyncio.wait((waiter,), timeout=left)
    if not waiter.done():
        waiter.cancel()
        raise _in_use(claim.keys)
    return waiter.result()


async def _pause(run: Execution, claim: Claim, number: int) -> None:
    """Waits before another look. Raises `IdempotencyKeyInUse` where there is no time for one."""
    keys, left = claim.keys, _time_left(run, claim)
    if left <= 0:
        raise _in_use(keys)
    pause = min(PAUSE_SECONDS * 2 ** min(number, 10), PAUSE_SECONDS_MAX) * (0.5 + keys.random() / 2)
    await keys.sleep(min(pause, left))


def _in_use(keys: Keys) -> IdempotencyKeyInUse:
    keys.count("in_use")
    return IdempotencyKeyInUse(retry_after_seconds=RETRY_AFTER_SECONDS)

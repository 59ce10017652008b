"""Rate limits behind the validation: those by the input, and those of all steps of a batch, which are counted at once,
before its transaction opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sternpost.errors import RateLimited, SternpostError
from sternpost.pipeline.authorize import DENY
from sternpost.pipeline.batch import locate
from sternpost.pipeline.limits import NO_VALUES, BoundLimits, Due, Refused, rate_limited, too_much
from sternpost.pipeline.operations import Execution, caller_defaults


@dataclass(slots=True)
class _Sum:
    """What the steps cost one count, and after which step how much."""

    due: Due
    after: list[tuple[int, int]]

    def first_beyond(self, units: int) -> int:
        """The first step for which so many units are not enough."""
        return next((index for index, cost in self.after if cost > units), self.after[-1][0])


async def count_valid(run: Execution, limits: BoundLimits) -> None:
    """Counts a call whose input is valid. Who may never do it, whatever the row, is refused later, and does not use up
    what is counted for others, such as by an address of mail in the input.

    Raises:
        RateLimited, Unprocessable, Unavailable: as `Limiter.take`, and as `_count_steps`.
    """
    if run.steps:
        await _count_steps(run)
    elif run.access.policy is not DENY:
        counting = limits.is_valid(run)
        if counting is not None:
            await counting


async def _count_steps(run: Execution) -> None:
    """Counts each step as the operation that it is. Steps that are counted for the same caller by the same limit are
    one charge: a store looks at the count once.

    Raises:
        RateLimited, Unprocessable: a limit refuses a step, which is named; nothing of the batch is counted.
        Invalid: a value of a step that decides a limit is wrong, or a reference.
        Unavailable: nobody can count, and a limit is declared to refuse then.
    """
    sums: dict[bytes, _Sum] = {}
    for index, step in enumerate(run.steps):
        operation = run.runtime.operations[step.operation]
        if operation.limits is None:
            continue
        may = operation.access(run.principal).policy is not DENY
        try:
            defaults = caller_defaults(run, operation) if operation.caller_defaults else NO_VALUES
            for due in operation.limits.of_step(step, run.call.address, run.principal, defaults, may=may):
                _add(sums, index, due)
        except SternpostError as error:
            locate(error, index)
            raise

    def refusal(refused: Sequence[Refused]) -> RateLimited:
        """Of the first step that does not pass, with the time after which all of the batch does."""
        steps = {sums[each.due.key].first_beyond(each.verdict.remaining): each for each in refused}
        index = min(steps)
        error = rate_limited(steps[index])
        error.retry_after_seconds = max(rate_limited(each).retry_after_seconds or 1 for each in refused)
        locate(error, index)
        return error

    limiter = run.runtime.limiter
    if sums and limiter is not None:
        due = [each.due for each in sums.values()]
        await limiter.take(due, run.call, run.observation, run.deadline, refusal)


def _add(sums: dict[bytes, _Sum], index: int, due: Due) -> None:
    """Adds what a step costs to what those before it do. Raises `Unprocessable` where that is too much together."""
    known = sums.get(due.key)
    if known is None:
        known = sums[due.key] = _Sum(due, [])
    else:
        known.due = due._replace(cost=known.due.cost + due.cost)
    if known.due.is_too_much and not (due.limit.plan.shadow or due.is_blocked):
        raise too_much(known.due)
    known.after.append((index, known.due.cost))

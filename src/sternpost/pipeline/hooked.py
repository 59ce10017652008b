"""Runs the hooks of an operation, at their places in the way of a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from types import MappingProxyType
from typing import Any

from sternpost.data.hooks import HookCall, Hooks
from sternpost.data.providers import Injected
from sternpost.pipeline.call import Answer
from sternpost.pipeline.operations import Execution

Handler = Callable[[Execution, Any], Awaitable[Answer]]


def view(run: Execution, answer: Answer | None = None) -> HookCall:
    """What a hook sees of a call by now."""
    call, operation = run.call, run.operation
    exchange = call.exchange
    valid = run.valid and operation.input is not None
    given: Any = None
    if answer is not None:
        given = answer.document if answer.documents is None else answer.documents
    return HookCall(
        operation.plan.id,
        run.principal,
        run.observation.logger(),
        call.id,
        MappingProxyType(run.values) if valid else None,
        given,
        None if exchange is None else exchange.request,
        None if exchange is None else exchange.response,
    )


async def run_each(run: Execution, hooks: tuple[Injected, ...], answer: Answer | None = None) -> None:
    """Runs the hooks of one place in order. What one raises ends the call."""
    if not hooks:
        return
    call = view(run, answer)
    for hook in hooks:
        await hook.function(call, **run.runtime.providers.arguments(hook.needs))


async def around(run: Execution, hooks: Hooks, handler: Handler, reader: Any) -> Answer:
    """Runs the handler within the hooks around it, the first outermost."""
    answer: Answer | None = None

    async def carry_out() -> None:
        nonlocal answer
        answer = await handler(run, reader)

    proceed = carry_out
    for hook in reversed(hooks.around_handler):
        proceed = _within(run, hook, proceed)
    await proceed()
    assert answer is not None, "each hook around the handler has proceeded"
    return answer


def _within(run: Execution, hook: Injected, inner: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """One hook around what is within it."""

    async def within() -> None:
        begun = done = False
        error: BaseException | None = None

        async def proceed() -> None:
            nonlocal begun, done, error
            if begun:
                raise RuntimeError(f"{hook.name} proceeds twice, and a call is carried out once")
            begun = True
            try:
                await inner()
            except BaseException as raised:
                error = raised
                raise
            done = True

        await hook.function(view(run), proceed, **run.runtime.providers.arguments(hook.needs))
        if error is not None:  # a hook may look at an error; nothing answers in place of the handler
            try:
                raise error
            finally:
                error = None  # or the error would hold the frame that holds it
        if not done:
            raise RuntimeError(f"{hook.name} ended without `await proceed()`: raise an error to refuse the call")

    return within


def after_commit(run: Execution, hooks: Hooks, answer: Answer) -> None:
    """Has the hooks after the commit run then."""
    if not hooks.after_commit:
        return
    call = view(run, answer)
    for hook in hooks.after_commit:
        run.ending.later(partial(_run, run, hook, call))


async def _run(run: Execution, hook: Injected, call: HookCall) -> None:
    await hook.function(call, **run.runtime.providers.arguments(hook.needs))

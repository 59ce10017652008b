"""Hooks: functions that run at fixed places of a call's way, for the whole application or for some operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from sternpost.contract.source import Source, caller_source

Place = Literal["after_authentication", "after_validation", "around_handler", "before_encoding", "after_commit"]


@dataclass(frozen=True, slots=True)
class Hook:
    """A function, its place, and the operations that it is for; all of them where none is named."""

    place: Place
    function: Callable[..., Any]
    operations: tuple[Any, ...]
    source: Source


def after_authentication(function: Callable[..., Any], *operations: Any) -> Hook:
    """Runs `async def function(call: HookCall)` once it is known who calls, before anything else of the call is looked
    at. An error that it raises refuses the call.

    Args:
        operations: such as `Order.pay`; without one it is for every operation.
    """
    return Hook("after_authentication", function, operations, caller_source(1))


def after_validation(function: Callable[..., Any], *operations: Any) -> Hook:
    """Runs `async def function(call: HookCall)` once the input is valid: `call.values` holds it. No row was read."""
    return Hook("after_validation", function, operations, caller_source(1))


def around_handler(function: Callable[..., Any], *operations: Any) -> Hook:
    """Runs `async def function(call: HookCall, proceed: Proceed)` in place of the handler, which `await proceed()`
    carries out: policy, rows, and the author's function. A change is in its transaction by then."""
    return Hook("around_handler", function, operations, caller_source(1))


def before_encoding(function: Callable[..., Any], *operations: Any) -> Hook:
    """Runs `async def function(call: HookCall)` with the answer as the client will see it: `call.answer`. A change is
    not committed yet, and an error rolls it back."""
    return Hook("before_encoding", function, operations, caller_source(1))


def after_commit(function: Callable[..., Any], *operations: Any) -> Hook:
    """Runs `async def function(call: HookCall)` once a change is committed, before the client is answered. An error is
    logged, and changes nothing."""
    return Hook("after_commit", function, operations, caller_source(1))

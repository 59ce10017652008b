"""Hooks as the pipeline runs them: the functions of one operation by their place, and what they see of a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sternpost.data.providers import Injected
from sternpost.ports.authenticator import Principal
from sternpost.web import Request, Response

Proceed = Callable[[], Awaitable[None]]
"""Carries the handler out; a hook around it awaits this once."""


@dataclass(frozen=True, slots=True)
class HookCall:
    """What a hook sees of a call.

    Attributes:
        operation: such as `orders.pay`.
        principal: the caller, or None without credentials.
        log: a logger that carries the request's ids.
        id: the id of the row as it was sent, for operations on one row.
        values: the valid input by the names of its fields; None before it is validated, and where there is none.
        answer: what the client gets, as JSON data: a row, a list of rows, or None; before encoding and after the
            commit. It is not to be changed.
        request: None where the call did not come over HTTP. The steps of a batch have that of the batch.
        response: what is added to the answer; None where the call did not come over HTTP.
    """

    operation: str
    principal: Principal | None
    log: Any
    id: str | None = None
    values: Mapping[str, Any] | None = None
    answer: Any = None
    request: Request | None = None
    response: Response | None = None


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks of one operation, each place in the order of declaration."""

    after_authentication: tuple[Injected, ...] = ()
    after_validation: tuple[Injected, ...] = ()
    around_handler: tuple[Injected, ...] = ()
    before_encoding: tuple[Injected, ...] = ()
    after_commit: tuple[Injected, ...] = ()


PLACES = ("after_authentication", "after_validation", "around_handler", "before_encoding", "after_commit")
"""In the order in which a call comes through them."""

"""Ties an author's function to operations: `@implements(Order.place)`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sternpost.contract.source import Source

MARK = "__sternpost_implements__"

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Implementation:
    """A function and the operations it serves."""

    operations: tuple[Any, ...]
    source: Source
    retry_safe: bool = False


def implements(*operations: Any, retry_safe: bool = False) -> Callable[[Function], Function]:
    """Marks an async function as the implementation of operations. `Sternpost(services=[module])` finds it.

    Its parameters are the context and
    - for Create, Replace and Update: a `Change`; calling `await change.apply()` writes it;
    - for a Transition: the row, after the state has changed and before anything is committed;
    - for a Delete: the row, before it is deleted;
    - for a Custom operation: the row (on an item), then the input (where one is declared).

    Args:
        retry_safe: whether the function may run again where the database gave its transaction up in favour of another
            one (a deadlock, a serialization failure): it does nothing outside the transaction, such as sending a mail.
            Without it the caller is answered 409 `WRITE_CONFLICT`.
    """

    def mark(function: Function) -> Function:
        code = getattr(function, "__code__", None)
        source = Source(code.co_filename, code.co_firstlineno) if code else Source("<unknown>", 0)
        setattr(function, MARK, Implementation(operations, source, retry_safe))
        return function

    return mark

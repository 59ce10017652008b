"""Ties an author's function to a computed field: `@computes(Patient, "age")`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sternpost.contract.source import Source

COMPUTES = "__sternpost_computes__"

Function = TypeVar("Function", bound=Callable[..., Awaitable[Any]])


@dataclass(frozen=True, slots=True)
class Computing:
    """A function and the field that it computes."""

    resource: Any
    field: Any
    source: Source


def computes(resource: type, field: str) -> Callable[[Function], Function]:
    """Marks an async function as what computes a field with `computed(in_python(…))`. `Sternpost(services=[module])`
    finds it.

    It gets the context and the rows of an answer, all at once, each with its id and the fields that the declaration
    names, and returns one value for each, in their order: `async def ages(ctx: Context, rows: Sequence[Patient]) ->
    Sequence[int]`. It only reads. What is provided for it stands behind a `*`.
    """

    def mark(function: Function) -> Function:
        code = getattr(function, "__code__", None)
        source = Source(code.co_filename, code.co_firstlineno) if code else Source("<unknown>", 0)
        setattr(function, COMPUTES, Computing(resource, field, source))
        return function

    return mark

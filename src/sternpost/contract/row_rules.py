"""Rules over rows that a class line declares: `checks=[…]` for the values of one row, `no_overlap=[…]` for spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredCheck:
    """A condition that every row keeps, with its name and its text."""

    condition: Any
    name: Any = None
    message: Any = None

    def __repr__(self) -> str:
        return "check(…)"


@dataclass(frozen=True, slots=True, eq=False)
class DeclaredOverlap:
    """Spans that do not overlap: the last two names are start and end, those before them what rows have in common."""

    names: tuple[Any, ...]
    where: Any = None

    def __repr__(self) -> str:
        return "no_overlap(…)"


def check(condition: Any, *, name: str | None = None, message: str | None = None) -> DeclaredCheck:
    """A condition on the values of a row, such as `this.ends_at > this.starts_at`. A row for which it is known to be
    false is refused with 422; a comparison with null is not known.

    Args:
        condition: comparisons of the row's own fields by `==`, `!=`, `<`, `<=`, `>`, `>=` or the methods of policies,
            joined by `&`, `|` and `~`.
        name: the code of the error's details, in lower case and underscores; by default made from the condition.
        message: the sentence that clients are told; by default the condition.
    """
    return DeclaredCheck(condition, name, message)


def no_overlap(*names: str, where: Any = None) -> DeclaredOverlap:
    """No two rows with the same values of some fields have spans that overlap: `no_overlap("room", "starts_at",
    "ends_at")`. The end does not belong to a span, and null is an open end.

    Args:
        names: the fields, or references, that rows have in common; then the start and the end of the span.
        where: a condition on the row, as in `check`: only rows for which it is known to be true are compared.
    """
    return DeclaredOverlap(names, where)

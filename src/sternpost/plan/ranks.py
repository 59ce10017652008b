"""Enums whose values have an order, that of their declaration: what compares so with one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sternpost.kinds import Ranked

_WITHIN: dict[str, Callable[[tuple[str, ...], int], tuple[str, ...]]] = {
    "gt": lambda ranks, place: ranks[place + 1 :],
    "gte": lambda ranks, place: ranks[place:],
    "lt": lambda ranks, place: ranks[:place],
    "lte": lambda ranks, place: ranks[: place + 1],
}


def compares_ranks(field: Ranked, operator: str) -> bool:
    """Whether an operator asks for the order of an enum's values. Nothing compares ranks: what an author or a client
    asks is whether the value is one of those on one side, which an index of the values serves."""
    return bool(field.ranks) and operator in _WITHIN


def on_one_side(field: Ranked, operator: str, value: Any) -> tuple[str, ...]:
    """The values of an enum with an order that compare so with one of them; none where it is at the end."""
    return _WITHIN[operator](field.ranks, field.ranks.index(value))

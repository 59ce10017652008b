"""Pages of lists that an author's function makes: what is asked for, and what it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The page that a client asks for.

    Attributes:
        number: from 1 on.
        size: items of a page.
    """

    number: int
    size: int

    @property
    def offset(self) -> int:
        """How many items are before the page."""
        return (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list: `Custom(method="GET", output=Page[Slot])` declares it, and the function returns one.

    Attributes:
        items: those of the page, no more than were asked for.
        total: how many there are in all.
    """

    items: Sequence[T]
    total: int

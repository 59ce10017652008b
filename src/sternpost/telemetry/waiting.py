"""What is observed and waits to be sent somewhere else, in a bounded place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Waiting(Generic[T]):
    """What waits to be sent. It is bounded: what is newer counts for more, so the oldest make room.

    Args:
        most: how many wait at most.
        wake_at: from how many on whoever sends them is told at once.
    """

    def __init__(self, most: int, wake_at: int, wake: Callable[[], None]) -> None:
        self._items: deque[T] = deque()
        self._most = most
        self._wake_at = min(wake_at, most)
        self._wake = wake
        self.dropped = 0
        """How many have made room since the start."""

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """One more; in the way of each call."""
        items = self._items
        items.append(item)
        if len(items) >= self._wake_at:
            self._is_much()

    def take(self, most: int) -> list[T]:
        """The oldest, at most so many. For the one thread that sends them."""
        taken: list[T] = []
        try:
            while len(taken) < most:
                taken.append(self._items.popleft())
        except IndexError:  # there are no more
            pass
        return taken

    def _is_much(self) -> None:
        while len(self._items) > self._most:
            try:
                self._items.popleft()
            except IndexError:  # taken meanwhile
                break
            self.dropped += 1
        self._wake()

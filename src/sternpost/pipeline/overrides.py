"""Overrides of rate limits: for a time, one caller may do more than a limit says, less, or nothing."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple


class LimitOverride(NamedTuple):
    """What one caller may do of one limit.

    Attributes:
        quantity: units in a period; 0 for nothing. None where a factor is given.
        factor: by which the quantity that would hold is multiplied; at least one unit passes, unless it is 0.
        expires: from when on it does not hold any more.
    """

    quantity: int | None
    factor: float | None
    expires: datetime

    def of(self, quantity: int) -> int:
        """The quantity that holds instead."""
        if self.quantity is not None:
            return self.quantity
        return max(int(quantity * self.factor), 1) if self.factor else 0


class LimitOverrides:
    """Those of a process, by the key that a caller is counted by for a limit.

    Attributes:
        is_empty: whether there is none: the one thing that calls ask where nothing is overridden.
    """

    def __init__(self) -> None:
        self.is_empty = True
        self._by_key: dict[bytes, LimitOverride] = {}

    def set(self, key: bytes, override: LimitOverride) -> None:
        """Puts one in force, in place of another one for the same key."""
        self._by_key[key] = override
        self.is_empty = False

    def drop_expired(self, now: datetime) -> None:
        """Forgets those that hold no more."""
        self._by_key = {key: each for key, each in self._by_key.items() if each.expires > now}
        self.is_empty = not self._by_key

    def remove(self, key: bytes) -> None:
        """The limit holds again as it is declared."""
        self._by_key.pop(key, None)
        self.is_empty = not self._by_key

    def clear(self) -> None:
        """Every limit holds again as it is declared."""
        self._by_key.clear()
        self.is_empty = True

    def of(self, key: bytes, now: datetime) -> LimitOverride | None:
        """The one that holds for a key now, if any; one that has expired is removed."""
        found = self._by_key.get(key)
        if found is not None and found.expires <= now:
            self.remove(key)
            return None
        return found

"""What a storage has a limited number of, and how busy that is: connections, writers, threads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PoolUse:
    """A pool at an instant.

    Attributes:
        name: one of a few that the storage knows at its start.
        size: how much of it there is at most; in_use: how much of that is not at rest; waiting: for how much of it
            somebody waits.
        waits, wait_seconds: how often somebody had to wait since the start, and for how long together. None where that
            is not measured.
    """

    name: str
    size: int
    in_use: int
    waiting: int
    waits: int | None = None
    wait_seconds: float | None = None

"""Commits are waited for: whoever is told that a change was given up must not find it in the database."""

from __future__ import annotations

import asyncio
from typing import TypeVar

T = TypeVar("T")

COMMIT_SECONDS = 10.0
"""How long a commit may still take when the time of its request is up, before its outcome counts as unknown."""


async def to_the_end(work: asyncio.Future[T]) -> T:
    """The result of work that goes on when the caller is cancelled; the cancellation comes behind it."""
    cancelled: asyncio.CancelledError | None = None
    while True:
        try:
            result = await asyncio.shield(work)
        except asyncio.CancelledError as error:
            if work.cancelled():
                raise
            cancelled = error
        else:
            break
    if cancelled is not None:
        raise cancelled
    return result

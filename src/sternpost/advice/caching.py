"""Which caching strategy fits: cache-aside, write-through, write-behind or read-through.

What each strategy is for is the table's; what speaks against one follows from how it works.
"""

from __future__ import annotations

from collections.abc import Mapping

from sternpost.advice.model import Advice, Choice, Factor, Fit, Says, Table
from sternpost.advice.weighing import weigh

_TODAY = "A declaration for caching is planned. Sternpost caches no answers yet, so there is nothing to declare."


def _planned(name: str, known_for: str, note: str) -> Choice:
    return Choice(name, name, known_for, planned="caching", today=_TODAY, note=f"Invalidation: {note}")


CACHING = Table(
    topic="caching",
    choices=(
        _planned(
            "cache-aside",
            "general purpose",
            "a commit removes the entry, and the next read fills it; a time to live bounds all else.",
        ),
        _planned(
            "write-through",
            "strong consistency",
            "a change writes row and entry together; what else changes rows has to remove their entries.",
        ),
        _planned(
            "write-behind",
            "high write throughput",
            "the entry is the newest state until the queue has written it; it must not expire before that.",
        ),
        _planned(
            "read-through",
            "transparent",
            "a commit removes the entry, and the cache reads it again; a time to live bounds all else.",
        ),
    ),
    factors=(
        Factor(
            "general-purpose",
            "General purpose",
            "Is it for general purposes: more reads than changes, and no special demand?",
            (
                Says(
                    "cache-aside",
                    Fit.STRONG,
                    "general purpose",
                    "The service asks the cache first, and the database after a miss; without the cache it is slower.",
                ),
            ),
        ),
        Factor(
            "strong-consistency",
            "Strong consistency",
            "Must a read see every change that was acknowledged before it?",
            (
                Says("cache-aside", Fit.WEAK, "stale for a moment", "A change is visible once its entry was removed."),
                Says(
                    "write-through",
                    Fit.STRONG,
                    "strong consistency",
                    "A change is in database and cache when it returns.",
                ),
                Says(
                    "write-behind", Fit.POOR, "the database is behind", "What reads the database misses what is queued."
                ),
                Says("read-through", Fit.WEAK, "stale for a moment", "A change is visible once its entry was removed."),
            ),
        ),
        Factor(
            "high-write-throughput",
            "High write throughput",
            "Are there more changes than the database takes one by one?",
            (
                Says(
                    "write-through",
                    Fit.WEAK,
                    "writes wait for both",
                    "Each change waits for the database and the cache.",
                ),
                Says(
                    "write-behind",
                    Fit.STRONG,
                    "high write throughput",
                    "Changes return from the cache, and reach the database together, later.",
                ),
            ),
        ),
        Factor(
            "transparent",
            "Transparent",
            "Should the code of the service know nothing of the cache?",
            (
                Says("cache-aside", Fit.WEAK, "seen by the code", "The code asks the cache and fills it."),
                Says("read-through", Fit.STRONG, "transparent", "The cache itself reads the database after a miss."),
            ),
        ),
    ),
    of_ties=(
        "Read-through is about reads: it goes together with write-through or write-behind. "
        "Between the others, what was described does not decide."
    ),
)


def caching_advice(factors: Mapping[str, bool]) -> Advice:
    """Which strategy fits these factors of `CACHING`. Raises `ValueError` for an unknown one."""
    return weigh(CACHING, factors)

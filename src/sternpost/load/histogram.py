"""Latencies with a bounded error and bounded memory: HDR histograms (Tene; the package `hdrhistogram`)."""

from __future__ import annotations

from typing import Any, Self

from hdrh.histogram import HdrHistogram

LOWEST_US, HIGHEST_US, DIGITS = 1, 120_000_000, 3
"""Microseconds, and significant digits."""


class Histogram:
    """How often each time came. What is longer than two minutes counts as two minutes."""

    def __init__(self, found: Any = None) -> None:
        self._found: Any = HdrHistogram(LOWEST_US, HIGHEST_US, DIGITS) if found is None else found

    @classmethod
    def decoded(cls, text: str) -> Self:
        """What `encoded` made."""
        decode: Any = getattr(HdrHistogram, "decode")  # noqa: B009  (its own annotations are incomplete)
        return cls(decode(text))

    def record(self, seconds: float) -> None:
        """Adds a time."""
        self._found.record_value(min(HIGHEST_US, max(LOWEST_US, int(seconds * 1e6))))

    def percentile_ms(self, share: float) -> float:
        """The milliseconds that so many of a hundred times are not above."""
        return self._found.get_value_at_percentile(share) / 1000

    def encoded(self) -> str:
        """As text."""
        return self._found.encode().decode()

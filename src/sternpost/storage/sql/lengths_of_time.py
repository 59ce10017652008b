"""Durations as databases keep them: a whole number of microseconds, which compares, sorts and adds."""

from __future__ import annotations

from datetime import timedelta

from sternpost.kinds import write_duration

_MICROSECOND = timedelta(microseconds=1)


def microseconds(value: timedelta) -> int:
    """A duration as it is kept."""
    return value // _MICROSECOND


def duration_text(kept: int) -> str:
    """What is kept, as a document holds it."""
    return write_duration(timedelta(microseconds=kept))

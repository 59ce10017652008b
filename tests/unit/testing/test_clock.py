"""Time and ids of tests: still, repeatable, and never without a zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from sternpost.ids import decode, encode
from sternpost.testing import ManualClock
from sternpost.testing.clock import CountedIds


def test_stands_still_until_it_is_moved() -> None:
    clock = ManualClock()
    assert clock.now() == clock.now() == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert clock.travel(days=1, hours=2, minutes=3, seconds=4, milliseconds=5) == clock.now()
    assert clock.now() == datetime(2026, 1, 2, 14, 3, 4, 5000, tzinfo=UTC)


def test_what_measures_time_goes_on_and_travels_along() -> None:
    clock = ManualClock()
    before = clock.monotonic()
    assert clock.monotonic() >= before
    clock.travel(hours=1)
    assert 3600 <= clock.monotonic() - before < 3660
    ahead = clock.monotonic()
    clock.set(datetime(2020, 1, 1, tzinfo=UTC))
    assert clock.monotonic() >= ahead, "it never goes back"


def test_refuses_what_is_no_instant() -> None:
    clock = ManualClock()
    with pytest.raises(ValueError, match="travel goes forward"):
        clock.travel(hours=-1)
    with pytest.raises(ValueError, match="has no time zone"):
        clock.set(datetime(2026, 1, 1))
    with pytest.raises(ValueError, match="has no time zone"):
        ManualClock(datetime(2026, 1, 1))
    assert clock.set(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))) == datetime(
        2025, 12, 31, 22, tzinfo=UTC
    )
    assert clock.now().tzinfo is UTC


def test_ids_are_uuids_that_repeat_and_increase() -> None:
    first, again = (CountedIds(ManualClock()) for _ in range(2))
    made = [first() for _ in range(20)]
    assert made == [again() for _ in range(20)]
    assert made == sorted(set(made))
    for digits in made:
        assert (UUID(digits).version, UUID(digits).variant) == (7, "specified in RFC 4122")
        assert decode("usr", encode("usr", digits)) == digits
    clock = ManualClock()
    ids = CountedIds(clock)
    earlier = ids()
    clock.travel(milliseconds=1)
    assert ids() > earlier


def test_two_series_never_meet() -> None:
    clock = ManualClock()
    one, other = CountedIds(clock, 0), CountedIds(clock, 1)
    assert not {one() for _ in range(50)} & {other() for _ in range(50)}

"""What waits to be sent: bounded, the oldest make room, and whoever sends is told when there is much."""

from __future__ import annotations

import contextlib
import threading

from sternpost.telemetry.timings import PARTS_MAX, Timings
from sternpost.telemetry.waiting import Waiting


def test_the_oldest_make_room() -> None:
    waiting: Waiting[int] = Waiting(3, 10, lambda: None)
    for number in range(10):
        waiting.put(number)
    assert (len(waiting), waiting.dropped) == (3, 7)
    assert waiting.take(2) == [7, 8]
    assert waiting.take(5) == [9]
    assert waiting.take(5) == []


def test_who_sends_is_told_when_there_is_much() -> None:
    told: list[int] = []
    waiting: Waiting[int] = Waiting(100, 3, lambda: told.append(len(waiting)))
    for number in range(4):
        waiting.put(number)
    assert told == [3, 4]


def test_nothing_is_lost_or_counted_twice_between_threads() -> None:
    waiting: Waiting[int] = Waiting(50, 10, lambda: None)
    taken: list[int] = []
    done = threading.Event()

    def take() -> None:
        while not done.is_set() or len(waiting):
            taken.extend(waiting.take(7))

    thread = threading.Thread(target=take)
    thread.start()
    for number in range(20_000):
        waiting.put(number)
    done.set()
    thread.join(20)
    assert len(taken) + waiting.dropped == 20_000
    assert taken == sorted(set(taken))


def test_parts_of_a_call_are_bounded() -> None:
    times = iter(range(10_000))
    timings = Timings(lambda: float(next(times)))
    for number in range(PARTS_MAX + 5):
        timings.add("statement", "sqlite", f"SELECT {number}", 0.0)
    assert (len(timings.parts), timings.left_out) == (PARTS_MAX, 5)


async def test_a_part_that_fails_is_noted() -> None:
    timings = Timings(iter([1.0, 3.0]).__next__)

    async def fail() -> None:
        raise ValueError("4111")

    with contextlib.suppress(ValueError):
        await timings.of("statement", "sqlite", "SELECT 1", fail(), shared=True)
    (part,) = timings.parts
    assert (part.started, part.ended, part.shared, part.error) == (1.0, 3.0, True, "ValueError")

"""What the ops port adds up: workers that answer, are silent, say their last words, and end."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from sternpost.app.frames import MESSAGE_BYTES_MAX, Frames, Message, Outbox, framed
from sternpost.app.ops.exposition import written
from sternpost.app.ops.fleet import Answered
from sternpost.app.ops.metrics import MetricPages, Totals
from sternpost.app.ops.pages import OpsRequest
from sternpost.errors import CATALOGUE
from sternpost.telemetry.measured import Snapshot
from sternpost.telemetry.metric_names import IN_FLIGHT, KEYS, REQUESTS
from sternpost.telemetry.metrics import Metrics
from tests.support.measured import samples
from tests.unit.telemetry.test_metrics import Clock, call

OPERATIONS = 500


def told(count: int, in_flight: int = 0) -> Snapshot:
    return Snapshot(0.0, 0.0, {KEYS.name: {("replayed",): count}, IN_FLIGHT.name: {(): in_flight}})


def total(totals: Totals) -> float:
    found = totals.values([]).get(KEYS.name, {}).get(("replayed",), 0)
    assert isinstance(found, int | float)
    return found


steps = st.lists(
    st.one_of(
        st.tuples(st.just("count"), st.integers(0, 3), st.integers(0, 5)),
        st.tuples(st.just("seen"), st.integers(0, 3), st.just(0)),
        st.tuples(st.just("end"), st.integers(0, 3), st.booleans()),
    ),
    max_size=40,
)


@given(steps)
def test_totals_never_fall_and_miss_only_what_was_not_told(made: list[tuple[str, int, int]]) -> None:
    totals, counts, seen, pids = Totals(), [0] * 4, [0] * 4, [1, 2, 3, 4]
    ended = shown = 0
    for what, slot, number in made:
        if what == "count":
            counts[slot] += number
        elif what == "seen" or number:  # the last words of one that ends
            totals.seen(pids[slot], told(counts[slot]))
            seen[slot] = counts[slot]
        if what == "end":
            totals.end(pids[slot])
            ended += seen[slot]
            counts[slot] = seen[slot] = 0
            pids[slot] += 4
        assert total(totals) == ended + sum(seen) >= shown
        shown = total(totals)


class Fleet:
    """Workers that a test lets answer."""

    def __init__(self) -> None:
        self.answers: list[Answered] = []
        self.asked = 0
        self.waiting: asyncio.Event | None = None

    async def ask(self, message: Message) -> Sequence[Answered]:
        self.asked += 1
        answers = self.answers
        if self.waiting is not None:
            await self.waiting.wait()
        return answers


async def page(pages: MetricPages) -> dict[tuple[str, ...], float]:
    answer = await pages.metrics(OpsRequest(None, "metrics", None))
    assert answer.content is not None
    return samples(answer.content[1].decode())


REPLAYED = ("sternpost_idempotency_keys_total", "replayed")


async def test_a_silent_worker_keeps_its_counters_and_has_no_gauges() -> None:
    fleet = Fleet()
    pages = MetricPages(fleet)
    fleet.answers = [Answered(1, 11, told(5, 3).as_json()), Answered(2, 12, told(7, 4).as_json())]
    found = await page(pages)
    assert found[REPLAYED] == 12
    assert found["sternpost_requests_in_flight", "1"] == 3
    fleet.answers = [Answered(1, 11, told(6, 1).as_json()), Answered(2, 12, None)]
    found = await page(pages)
    assert found[REPLAYED] == 13
    assert found["sternpost_worker_up", "2"] == 0
    assert ("sternpost_requests_in_flight", "2") not in found


async def test_last_words_are_newer_than_an_answer_on_its_way() -> None:
    fleet = Fleet()
    pages = MetricPages(fleet)
    fleet.answers, fleet.waiting = [Answered(1, 11, told(5).as_json())], asyncio.Event()
    asking = asyncio.create_task(page(pages))
    await asyncio.sleep(0)
    pages.told(11, told(9).as_json())
    pages.ended(11)
    fleet.waiting.set()
    assert (await asking)[REPLAYED] == 9, "neither the older answer, nor both"
    fleet.answers = [Answered(1, 12, told(1).as_json())]
    assert (await page(pages))[REPLAYED] == 10


async def test_who_asks_at_the_same_time_sees_no_past() -> None:
    fleet = Fleet()
    pages = MetricPages(fleet)
    fleet.answers, fleet.waiting = [Answered(1, 11, told(5).as_json())], asyncio.Event()
    first = asyncio.create_task(page(pages))
    second = asyncio.create_task(page(pages))
    await asyncio.sleep(0)
    assert fleet.asked == 1
    fleet.answers = [Answered(1, 11, told(6).as_json())]
    fleet.waiting.set()
    assert ((await first)[REPLAYED], (await second)[REPLAYED]) == (5, 6)


def busy() -> Metrics:
    """As many operations as a large service has, each with every code and durations of every length."""
    rng, names = random.Random(1), [f"someLongerResourceName{number}.someOperation" for number in range(OPERATIONS)]
    metrics = Metrics(names, ["health"], Clock())
    for name in names:
        for code in CATALOGUE:
            call(metrics, name, status=500, code=code)
        for _ in range(400):
            call(metrics, name, 2 ** rng.uniform(-17, 10), at=2000.0)
    return metrics


async def test_the_metrics_of_five_hundred_operations_fit_into_a_message() -> None:
    snapshot = busy().snapshot()
    message = framed({"number": 1, "answer": snapshot.as_json()})
    assert len(message) < MESSAGE_BYTES_MAX / 4
    ours, theirs = socket.socketpair()
    try:
        ours.setblocking(False)
        outbox = Outbox(theirs)
        assert outbox.send(message), (
            "it is sent as a whole, though more than what is kept for an end that does not read"
        )
        frames, found = Frames(), list[object]()
        async with asyncio.timeout(20):
            while not found:
                found += frames.feed(await asyncio.get_running_loop().sock_recv(ours, 1 << 16))
            await outbox.all_sent()
        [answer] = found
        assert isinstance(answer, dict)
        assert Snapshot.read(answer["answer"]) == snapshot
    finally:
        ours.close()
        theirs.close()


def test_text_has_every_operation() -> None:
    snapshot = busy().snapshot()
    totals = Totals()
    totals.seen(1, snapshot)
    _, text = written(totals.values([1]), {"1": snapshot.values}, b"")
    found = samples(text.decode())
    assert sum(
        value for (name, *_), value in found.items() if name == "sternpost_request_duration_seconds_count"
    ) == sum(value for value in snapshot.values[REQUESTS.name].values() if isinstance(value, int))

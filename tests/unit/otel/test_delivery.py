"""What becomes of what is sent is told when it changes, and no more often."""

from __future__ import annotations

from sternpost.otel.delivery import EXPORTERS, Delivery, Said
from sternpost.telemetry.events import Event, OtlpFails, OtlpLost, OtlpOverruns, OtlpSucceeds


class Told:
    """Lines, and a clock that is set."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.now = 0.0
        self.said = Said()
        self.delivery = Delivery("traces", self.events.append, self.said, lambda: self.now)


def test_a_failure_is_told_once_with_its_reason_and_its_end_once() -> None:
    told = Told()
    told.said.listen()
    try:
        EXPORTERS.getChild("otlp").warning("it is away")
        for _ in range(3):
            told.delivery.note(5, succeeded=False)
        told.delivery.note(5, succeeded=True)
        told.delivery.note(5, succeeded=True)
    finally:
        told.said.leave()
    assert told.events == [
        OtlpFails(signal="traces", reason="it is away"),
        OtlpSucceeds(signal="traces", lost=15),
    ]
    told.delivery.end(2)
    assert told.events[-1] == OtlpLost(signal="traces", lost=15, dropped=2)


def test_records_that_make_room_are_told_once_a_minute() -> None:
    told = Told()
    for told.now, dropped in ((0, 0), (1, 3), (2, 9), (59, 20), (61.5, 20), (62, 21)):
        told.delivery.note(1, succeeded=True, dropped=dropped)
    assert told.events == [
        OtlpOverruns(signal="traces", dropped=3),
        OtlpOverruns(signal="traces", dropped=21),
    ]


def test_nothing_is_told_where_nothing_is_lost() -> None:
    told = Told()
    told.delivery.note(5, succeeded=True)
    told.delivery.end(0)
    assert told.events == []
